"""Staff's list of payments follows what happens, through its filter, as long as its viewer may look."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Self

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.models import F
from django.db.models.functions import Now
from django.template import Template
from django.test import Client
from django.test.signals import template_rendered
from django.utils import timezone

from realtime import look, panels, sweep
from realtime.hub import running_hub
from realtime.topics import PAYMENTS
from shop.dashboard import feed
from shop.models import Order, PaymentStatus, Source
from shop.models.clock import database_now
from shop.rights import VIEW_PAYMENTS
from tests import factories, stripe_events
from tests.live import Page, Queries, Socket, Timeouts, an_order, in_thread, live, until
from tests.test_live_sweep import change_without_a_word

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/dashboard/"


@pytest.fixture
def viewer(db: None) -> User:
    return factories.staff(VIEW_PAYMENTS, username="viewer")


@pytest.fixture
def staff(viewer: User) -> Client:
    client = Client()
    client.force_login(viewer)
    return client


@pytest.fixture
def rendered() -> Iterator[list[str]]:
    """What was rendered to be pushed, and how often."""
    names: list[str] = []

    def see(template: Template, context: Any, **kwargs: Any) -> None:
        if template.name == "live/_push.html":
            names.append(f"{context['partial']} {context['key']}")

    template_rendered.connect(see)
    yield names
    template_rendered.disconnect(see)


def row(order: Order) -> str:
    return f"row-{order.public_id}"


async def test_a_payment_comes_into_the_list_the_moment_stripe_tells_of_it(staff, deliver, no_patrols):
    order = await an_order(Client())
    page = await live(staff, LIST)

    await in_thread(deliver)(stripe_events.completed(order))

    frame = await page.frame(lambda frame: frame.key == row(order))
    assert frame.target == f"#{row(order)}, #payments"
    assert frame.status == PaymentStatus.PAID
    assert "Stripe&#x27;s webhook" in frame.text


async def test_what_is_done_with_it_changes_its_row_in_place(staff, no_patrols):
    order = await in_thread(factories.paid_order)()
    page = await live(staff, LIST)

    await in_thread(order.fulfilment.prepare)(who_id=None)

    frame = await page.frame(lambda frame: frame.key == row(order) and frame.version == 3)
    assert 'data-fulfilment-status="preparing"' in frame.text


async def test_the_filter_holds_for_what_is_pushed(staff, deliver, no_patrols):
    small = await an_order(Client(), (await in_thread(factories.product)(unit_amount=500), 1))
    large = await an_order(Client(), (await in_thread(factories.product)(unit_amount=50_000), 1))
    page = await live(staff, f"{LIST}?least=100")

    for order in (small, large):
        await in_thread(deliver)(stripe_events.completed(order))

    await page.frame(lambda frame: frame.key == row(large))
    assert not [frame for frame in page.frames if frame.key == row(small)]


async def test_what_no_longer_matches_the_filter_goes(staff, no_patrols):
    order = await in_thread(factories.paid_order)()
    page = await live(staff, f"{LIST}?status=unsent")

    await in_thread(order.fulfilment.prepare)(who_id=None)
    await page.frame(lambda frame: frame.key == row(order))
    await in_thread(order.fulfilment.ship)(carrier="", tracking_url="", who_id=None)

    frame = await page.frame(lambda frame: frame.target == f"#{row(order)}")
    assert 'hx-swap="delete"' in frame.text


async def test_a_page_that_missed_a_payment_is_brought_it_when_it_connects(staff, deliver, no_patrols):
    order = await an_order(Client())
    page = await Page.load(staff, LIST)

    await in_thread(deliver)(stripe_events.completed(order))

    socket = await page.go_live()
    assert row(order) in {frame.key for frame in socket.frames}


async def test_a_payment_that_nobody_hurried_comes_with_the_next_patrol(staff, quick_patrols):
    order = await in_thread(factories.paid_order)()
    page = await live(staff, LIST)

    await in_thread(_change_unannounced)(order)

    await page.frame(lambda frame: frame.key == row(order) and "Needs a look" in frame.text)


def _change_unannounced(order: Order) -> None:
    """As if the process had died between the commit and the announcement."""
    Order.objects.filter(pk=order.pk).update(
        version=F("version") + 1, needs_attention="Look at it.", updated_at=Now()
    )


async def test_a_change_costs_one_rendering_and_as_many_queries_for_one_dashboard_as_for_eight(
    staff, deliver, no_patrols, rendered, monkeypatch
):
    monkeypatch.setattr(panels, "PACE", 3600)  # the sums were read when the pages were greeted
    orders = [await in_thread(factories.paid_order)() for _ in range(4)]
    costs: dict[int, list[int]] = {1: [], 8: []}
    pages: list[Socket] = []
    # Twice, because on a slow machine something else may be counted once.
    for order, dashboards in zip(orders, (1, 1, 8, 8), strict=True):
        pages += [await live(staff, LIST) for _ in range(dashboards - len(pages))]
        rendered.clear()
        async with Queries() as queries:
            await in_thread(order.flag)("Look at it.", source=Source.WEBHOOK)
            for page in pages:
                await page.frame(lambda frame: row(order) == frame.key and frame.version == 3)  # noqa: B023
        assert rendered.count(f"live/_payment_row.html {row(order)}") == 1
        costs[dashboards].append(queries.count)

    assert min(costs[1]) == min(costs[8])


async def test_sums_are_pushed_when_they_change_and_only_then(staff, quick_patrols, monkeypatch):
    monkeypatch.setattr(panels, "PACE", 0)
    page = await live(staff, LIST)
    await page.patrolled()
    await page.patrolled()
    page.frames.clear()
    await page.patrolled()
    assert not [frame for frame in page.frames if frame.target == "#checkouts"]

    order = await an_order(Client())

    frame = await page.frame(lambda frame: frame.target == "#checkouts")
    assert order.number in frame.text


async def test_sums_of_a_rush_are_read_once_a_second_and_the_last_ones_come(
    staff, no_patrols, rendered, monkeypatch
):
    page = await live(staff, LIST)
    rendered.clear()

    orders = await in_thread(lambda: [factories.order() for _ in range(10)])()

    await page.frame(
        lambda frame: frame.target == "#checkouts" and all(order.number in frame.text for order in orders)
    )
    assert rendered.count("live/_checkouts.html checkouts") <= 4


async def test_a_page_that_shows_more_than_was_last_read_here_is_told_when_it_is_over(staff, no_patrols):
    before = await live(staff, LIST)
    await before.goes()
    order = await an_order(Client())
    page = await Page.load(staff, LIST)
    assert order.number in page.html

    await in_thread(order.expire)(source=Source.WEBHOOK)

    socket = await page.go_live()
    [checkouts] = [frame for frame in socket.frames if frame.target == "#checkouts"]
    assert order.number not in checkouts.text


async def test_a_page_is_greeted_with_no_sum_that_is_older_than_its_own(staff, no_patrols, monkeypatch):
    monkeypatch.setattr(panels, "PACE", 3600)
    await live(staff, LIST)
    order = await an_order(Client())

    page = await live(staff, LIST)

    [checkouts] = [frame for frame in page.frames if frame.target == "#checkouts"]
    assert order.number in checkouts.text


async def test_a_sum_that_has_not_changed_is_of_no_older_version_for_who_comes_later(staff, no_patrols):
    await live(staff, LIST)
    page = await Page.load(staff, LIST)

    greeted = (await page.go_live()).frames

    shown = {
        found[1]: int(found[2]) for found in re.finditer(r'id="(\w+)"[^>]*? data-version="(\d+)"', page.html)
    }
    versions = {frame.target.removeprefix("#"): frame.version for frame in greeted}
    assert versions.keys() >= {"numbers", "pictures", "checkouts"}
    assert not [name for name, version in versions.items() if version < shown.get(name, 0)]


class BrokenNumbers:
    """Meanwhile today's numbers cannot be read. `count` is how often that was tried."""

    count = 0

    def __enter__(self) -> Self:
        self._panels = panels.PANELS
        broken = panels.Panel("numbers", self._read, (PAYMENTS,))
        panels.PANELS = tuple(broken if panel.name == "numbers" else panel for panel in self._panels)
        return self

    def __exit__(self, *failure: object) -> None:
        panels.PANELS = self._panels

    def _read(self) -> dict[str, Any]:
        self.count += 1
        raise OperationalError("canceling statement due to statement timeout")


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


async def test_who_loses_the_right_is_sent_nothing_more(staff, viewer, no_patrols):
    order = await an_order(Client())
    page = await live(staff, LIST)
    page.frames.clear()

    await in_thread(viewer.user_permissions.clear)()
    await in_thread(order.mark_paid)(payment_intent_id="pi_1", email="a@example.com", source=Source.WEBHOOK)

    assert await page.closes() == 4403
    assert page.frames == []


async def test_who_loses_the_right_is_closed_although_nothing_happens(staff, viewer, quick_patrols):
    page = await live(staff, LIST)

    await in_thread(viewer.user_permissions.clear)()

    assert await page.closes() == 4403


async def test_shoppers_hear_nothing_of_what_staff_are_shown(shopper, staff, no_patrols):
    own = await live(shopper)
    page = await live(staff, LIST)

    order = await an_order(Client())

    await page.frame(lambda frame: frame.target == "#checkouts" and order.number in frame.text)
    assert not [frame for frame in own.frames if order.number in frame.text]


async def test_a_list_that_missed_more_than_it_can_be_told_of_is_sent_whole(staff, no_patrols, monkeypatch):
    monkeypatch.setattr(look, "MOST_NEWS", 5)
    page = await Page.load(staff, LIST)

    orders = [await in_thread(factories.paid_order)() for _ in range(6)]

    socket = await page.go_live()
    [whole] = [frame for frame in socket.frames if frame.target == "#payments"]
    assert 'hx-swap="innerMorph"' in whole.text
    assert re.findall(r'<li id="(row-[^"]+)"', whole.text) == [row(order) for order in reversed(orders)]
    assert not [frame for frame in socket.frames if frame.key and frame.target != "#payments"]


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


async def test_an_older_page_that_missed_much_is_sent_its_own_rows(staff, no_patrols, monkeypatch):
    monkeypatch.setattr(feed, "PER_PAGE", 2)
    oldest = await in_thread(factories.paid_order)()
    for _ in range(2):
        await in_thread(factories.paid_order)()
    first = await Page.load(staff, LIST)
    older = re.search(r'rel="next" href="([^"]+)"', first.html)
    assert older is not None
    page = await Page.load(staff, LIST + older[1])
    monkeypatch.setattr(look, "MOST_NEWS", 1)

    socket = await page.go_live()

    [whole] = [frame for frame in socket.frames if frame.target == "#older-payments"]
    assert re.findall(r'<li id="(row-[^"]+)"', whole.text) == [row(oldest)]


async def test_after_midnight_todays_list_is_another(staff, quick_patrols, monkeypatch):
    order = await in_thread(factories.paid_order)()
    everything, todays = await live(staff, LIST), await live(staff, LIST + "?period=today")
    for page in (everything, todays):
        page.frames.clear()

    tomorrow = timezone.localdate() + timedelta(days=1)
    monkeypatch.setattr(timezone, "localdate", lambda: tomorrow)

    whole = await todays.frame(lambda frame: frame.target == "#payments")
    assert row(order) not in whole.text
    assert not [frame for frame in everything.frames if frame.target == "#payments"]


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


async def test_todays_list_that_comes_back_after_midnight_is_another(staff, no_patrols, monkeypatch):
    order = await in_thread(factories.paid_order)()
    everything, todays = await Page.load(staff, LIST), await Page.load(staff, f"{LIST}?period=today")

    localdate, tomorrow = timezone.localdate, timezone.localdate() + timedelta(days=1)
    monkeypatch.setattr(timezone, "localdate", lambda time=None: localdate(time) if time else tomorrow)

    [whole] = [frame for frame in (await todays.go_live()).frames if frame.target == "#payments"]
    assert row(order) not in whole.text
    assert not [frame for frame in (await everything.go_live()).frames if frame.target == "#payments"]


async def test_two_different_lists_do_not_make_each_other_read_the_sums_again_and_again(staff, monkeypatch):
    monkeypatch.setattr(panels, "PACE", 0.3)
    monkeypatch.setattr(sweep, "PACE", 0.3)
    monkeypatch.setattr(sweep, "INTERVAL", 1.5)
    monkeypatch.setattr(sweep, "HEARTBEAT", 1)
    pages = [await live(staff, LIST + query) for query in ("", "?status=unsent")]
    for _ in range(10):  # a rush: one look after the other finds sums that have just been read
        order = await an_order(Client())
    for page in pages:
        await page.frame(lambda frame: frame.target == "#checkouts" and order.number in frame.text)
    await pages[0].patrolled()

    async with Queries() as queries:
        await pages[0].patrolled()

    assert queries.count < 40, "a patrol asks some 17, and readings without end four times as much"


async def test_what_a_page_has_long_shown_is_not_remembered(staff, quick_patrols, monkeypatch):
    page = await live(staff, LIST)
    order = await in_thread(factories.paid_order)()
    await page.frame(lambda frame: frame.key == row(order))
    hub = running_hub()
    assert hub is not None
    [open_page] = hub.pages
    assert row(order) in open_page._versions

    monkeypatch.setattr(sweep, "OVERLAP", -1)

    await until(lambda: row(order) not in open_page._versions)
    page.frames.clear()
    await page.patrolled()
    assert not [frame for frame in page.frames if frame.key == row(order)]
