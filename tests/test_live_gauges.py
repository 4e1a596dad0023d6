"""What a process counts for /metrics moves with what its open pages are sent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client

from realtime import gauges, look
from shop.models import Order, PaymentStatus, Source
from shop.rights import VIEW_PAYMENTS
from tests import factories, stripe_events
from tests.broken_reads import BrokenNumbers, Timeouts
from tests.live import PATIENCE, Page, an_order, in_thread, live, until
from tests.local_stripe import free_port
from tests.test_live_sweep import change_without_a_word, use_redis
from tests.test_metrics import values
from tests.test_webhook_door import post

pytestmark = pytest.mark.django_db(transaction=True)

Grown = Callable[..., Awaitable[float]]


@pytest.fixture
async def grown() -> Grown:
    """By how much a number has grown since the test began: the process has counted before."""
    before = await in_thread(values)()

    async def grown(*name: str) -> float:
        return await told(*name) - float(before.get(name, 0))

    return grown


async def told(*name: str) -> float:
    return float((await in_thread(values)())[name])


async def reaches(least: float, number: Callable[[], Awaitable[float]]) -> None:
    """Wait until it is as much as that."""
    async with asyncio.timeout(PATIENCE):
        while await number() < least:
            pass


async def test_a_payment_is_counted_from_stripes_post_to_the_page(shopper, no_patrols, grown):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    body, headers = stripe_events.signed(stripe_events.completed(order))

    assert (await post(body, headers["Stripe-Signature"]))[0] == 200
    await page.frame(lambda frame: frame.status == PaymentStatus.PAID)

    assert await grown("shopbell_webhook_answer_seconds_count", "200") == 1
    assert await grown("shopbell_push_lag_seconds_count", "hurried") == 1
    assert 0 < await grown("shopbell_push_lag_seconds_sum", "hurried") < 60
    assert await grown("shopbell_pushes_total", "sent") >= 1
    assert await grown("shopbell_sweep_seconds_count", "greet") == 1
    assert await grown("shopbell_publishes_total", "taken") >= 1
    assert await grown("shopbell_sweep_mended_total") == 0


async def test_open_pages_are_counted_by_what_they_show_and_closed_ones_by_why(shopper, no_patrols, grown):
    order = await an_order(shopper)
    own, shop = await live(shopper, order.get_absolute_url()), await live(shopper)
    another = await Page.load(shopper)
    assert await told("shopbell_sockets_open") == 2
    assert await told("shopbell_topic_sockets", "order") == 1
    assert await told("shopbell_topic_sockets", "catalog") == 1
    assert await told("shopbell_topic_sockets", "payments") == 0
    assert await told("shopbell_sockets_waiting") == 0

    await own.goes()
    await shop.send(text="hello")
    await shop.closes()
    await shop.goes()
    forged = await another.connect(address="/ws/shop/?ticket=forged")
    await forged.closes()

    assert await told("shopbell_sockets_open") == 0
    assert await grown("shopbell_sockets_closed_total", "1006") == 1
    assert await grown("shopbell_sockets_closed_total", "1008") == 1
    assert await grown("shopbell_sockets_closed_total", "4401") == 1


async def test_what_a_page_has_already_is_counted_as_dropped(shopper, no_patrols, grown):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    sent = await grown("shopbell_pushes_total", "sent")

    await in_thread(order.expire)(source=Source.STAFF)

    await page.frame(lambda frame: frame.status == PaymentStatus.EXPIRED)
    # It comes once more, through Redis.
    await reaches(1, lambda: grown("shopbell_pushes_total", "dropped"))
    assert await grown("shopbell_pushes_total", "sent") == sent + 1


async def test_what_a_patrol_brings_before_its_hurry_up_could_is_not_mended(
    shopper, quick_patrols, grown, monkeypatch
):
    monkeypatch.setattr(gauges, "HURRY", 3600)
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())

    await change_without_a_word(Order.objects.filter(pk=order.pk), payment_status=PaymentStatus.EXPIRED)
    await page.frame(lambda frame: frame.status == PaymentStatus.EXPIRED)

    assert await grown("shopbell_push_lag_seconds_count", "patrol") == 1
    assert await grown("shopbell_sweep_mended_total") == 0


async def test_a_patrol_mends_what_nobody_hurried_and_not_what_came_in_time(shopper, quick_patrols, grown):
    hurried, unheard = await an_order(shopper), await an_order(shopper)
    pages = [await live(shopper, order.get_absolute_url()) for order in (hurried, unheard)]
    await in_thread(hurried.expire)(source=Source.STAFF)
    await pages[0].frame(lambda frame: frame.status == PaymentStatus.EXPIRED)
    await pages[0].patrolled()
    assert await grown("shopbell_sweep_mended_total") == 0

    await change_without_a_word(
        Order.objects.filter(pk=unheard.pk),
        payment_status=PaymentStatus.EXPIRED,
        updated_at=Now() - timedelta(seconds=3),
    )
    await pages[1].frame(lambda frame: frame.status == PaymentStatus.EXPIRED)

    assert await grown("shopbell_sweep_mended_total") == 1
    assert await grown("shopbell_push_lag_seconds_count", "patrol") == 1
    assert 3 <= await grown("shopbell_push_lag_seconds_sum", "patrol") < 60
    assert await grown("shopbell_sweep_seconds_count", "patrol") > 1
    assert await told("shopbell_patrol_age_seconds") < 60


async def test_the_lag_is_by_one_clock_although_ours_is_wrong(shopper, no_patrols, grown, monkeypatch):
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() - 600)
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())

    await in_thread(order.expire)(source=Source.STAFF)
    await page.frame(lambda frame: frame.status == PaymentStatus.EXPIRED)

    assert 590 < await told("shopbell_clock_difference_seconds") < 610
    assert await grown("shopbell_push_lag_seconds_count", "hurried") == 1
    assert 0 < await grown("shopbell_push_lag_seconds_sum", "hurried") < 60


async def test_staffs_list_is_sent_what_was_hinted_at(no_patrols, grown):
    staff = Client()
    await in_thread(lambda: staff.force_login(factories.staff(VIEW_PAYMENTS)))()
    order = await in_thread(factories.paid_order)()
    page = await live(staff, "/dashboard/")
    assert await told("shopbell_topic_sockets", "payments") == 1

    await in_thread(order.flag)("Look at it.", source=Source.WEBHOOK)
    await page.frame(lambda frame: frame.key == f"row-{order.public_id}" and frame.version == 3)

    assert await grown("shopbell_push_lag_seconds_count", "hinted") == 1
    assert await grown("shopbell_sweep_seconds_count", "inform") >= 1


async def test_what_redis_does_not_take_is_counted(shopper, no_patrols, grown, settings):
    use_redis(settings, f"redis://127.0.0.1:{free_port()}")
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())

    await in_thread(order.expire)(source=Source.STAFF)
    await page.frame(lambda frame: frame.status == PaymentStatus.EXPIRED)

    await reaches(1, lambda: grown("shopbell_publishes_total", "failed"))
    assert await grown("shopbell_hub_failures_total", "_listen") >= 1


async def test_a_list_that_cannot_be_read_is_counted(no_patrols, grown, monkeypatch):
    monkeypatch.setattr(look, "MOST_NEWS", 1)
    staff = Client()
    await in_thread(lambda: staff.force_login(factories.staff(VIEW_PAYMENTS)))()
    page = await Page.load(staff, "/dashboard/?q=ada@")
    for _ in range(2):
        await in_thread(factories.paid_order)()

    async with Timeouts("ada@") as timeouts:
        await page.connect()
        await until(lambda: timeouts.count)

    assert await grown("shopbell_sweep_unread_lists_total") == 1


async def test_a_panel_that_cannot_be_read_is_counted(no_patrols, grown):
    staff = Client()
    await in_thread(lambda: staff.force_login(factories.staff(VIEW_PAYMENTS)))()
    page = await Page.load(staff, "/dashboard/")

    with BrokenNumbers():
        await (await page.connect()).frame(lambda frame: frame.target == "#checkouts")

    assert await grown("shopbell_sweep_unread_panels_total") == 1
