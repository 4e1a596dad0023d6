"""What cannot be read or shown for a while keeps nobody from the rest, and comes later."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.template import Template
from django.test import Client
from django.test.signals import template_rendered
from django.utils import timezone

from realtime import look, sweep
from shop.models import Order, PaymentStatus
from shop.models.clock import database_now
from tests import factories
from tests.broken_reads import BrokenNumbers, Timeouts
from tests.live import Page, an_order, in_thread, live, row, until
from tests.test_live_sweep import change_without_a_word

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/dashboard/"


@pytest.fixture
def staff(viewer: User) -> Client:
    return factories.browser_of(viewer)


async def test_a_sum_that_cannot_be_read_keeps_nobody_from_the_rest(shopper, staff, no_patrols):
    loaded, own = await Page.load(staff, LIST), await live(shopper)
    with BrokenNumbers():
        page = await loaded.connect()

        order = await an_order(shopper)

        await page.frame(lambda frame: frame.target == "#checkouts" and order.number in frame.text)
        await own.frame(lambda frame: frame.key == f"order-{order.public_id}")


async def test_no_page_with_a_sum_that_cannot_be_read_is_told_that_it_is_up_to_date(
    shopper, staff, quick_patrols
):
    loaded, own = await Page.load(staff, LIST), await live(shopper)
    with BrokenNumbers() as numbers:
        page = await loaded.connect()
        await until(lambda: numbers.count > 1)
        await own.patrolled()
        healed_at = (await in_thread(database_now)()).timestamp()

    assert await page.word() > healed_at, "no word before it had what the others had"
    assert [frame for frame in page.frames if frame.target == "#numbers"]


async def test_a_sum_that_cannot_be_read_is_tried_once_for_all_lists(staff, no_patrols):
    loaded = [await Page.load(staff, LIST + query) for query in ("", "?status=unsent", "?status=all")]
    with BrokenNumbers() as numbers:
        pages = await asyncio.gather(*[page.connect() for page in loaded])
        for page in pages:
            await page.frame(lambda frame: frame.target == "#checkouts")

        assert numbers.count == 1


async def test_an_order_that_cannot_be_shown_keeps_nobody_from_the_rest_and_comes_later(
    shopper, deliver, quick_patrols, monkeypatch
):
    monkeypatch.setattr(sweep, "OVERLAP", 0)  # patrols do not read it again: it has to be remembered
    another = Client()
    broken, well = await an_order(shopper), await an_order(another)
    page, own = await live(shopper, "/orders/"), await live(another, "/orders/")

    def fail(template: Template, context: Any, **kwargs: Any) -> None:
        if template.name == "live/_push.html" and context["key"] == f"order-{broken.public_id}":
            raise ValueError("no words for it")

    template_rendered.connect(fail)
    try:
        for order in (broken, well):
            await change_without_a_word(
                Order.objects.filter(pk=order.pk), payment_status=PaymentStatus.EXPIRED
            )
        await own.frame(lambda frame: frame.status == PaymentStatus.EXPIRED)
        for _ in range(3):
            await own.patrolled()
        healed_at = (await in_thread(database_now)()).timestamp()
    finally:
        template_rendered.disconnect(fail)

    await page.word(healed_at)
    assert [frame for frame in page.frames if frame.status == PaymentStatus.EXPIRED]


async def test_a_list_that_cannot_be_read_keeps_nobody_from_the_rest_and_comes_later(
    shopper, staff, quick_patrols, monkeypatch
):
    monkeypatch.setattr(look, "MOST_NEWS", 1)
    adas, everybodys = await Page.load(staff, f"{LIST}?q=ada@"), await Page.load(staff, LIST)
    orders = [await in_thread(factories.paid_order)() for _ in range(2)]
    timeouts = Timeouts("ada@")

    async with timeouts:
        unlucky = await adas.connect()
        lucky, own = await everybodys.go_live(), await live(shopper)
        assert [frame for frame in lucky.frames if frame.target == "#payments"]
        await own.patrolled()
        await until(lambda: timeouts.count > 1)
        healed_at = (await in_thread(database_now)()).timestamp()

    assert await unlucky.word() > healed_at, "no word before it had what the others had"
    [whole] = [frame for frame in unlucky.frames if frame.target == "#payments"]
    assert all(row(order) in whole.text for order in orders)


async def test_todays_list_that_cannot_be_read_at_midnight_comes_later(staff, quick_patrols, monkeypatch):
    order = await in_thread(factories.paid_order)()
    page = await live(staff, f"{LIST}?period=today&q=ada@")
    timeouts = Timeouts("ada@")

    async with timeouts:
        tomorrow = timezone.localdate() + timedelta(days=1)
        monkeypatch.setattr(timezone, "localdate", lambda: tomorrow)
        await until(lambda: timeouts.count > 1)
        page.frames.clear()

    whole = await page.frame(lambda frame: frame.target == "#payments")
    assert row(order) not in whole.text
