"""What many open pages cost: as much as one."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.template import Template
from django.test import Client
from django.test.signals import template_rendered

from realtime import stock, sweep
from shop.models import PaymentStatus
from tests import factories, stripe_events
from tests.live import Page, Queries, Socket, an_order, in_thread, live

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pushes() -> Iterator[list[str]]:
    """Which partials were rendered to be pushed, and how often."""
    rendered: list[str] = []

    def see(template: Template, context: Any, **kwargs: Any) -> None:
        if template.name == "live/_push.html":
            rendered.append(context["partial"])

    template_rendered.connect(see)
    yield rendered
    template_rendered.disconnect(see)


async def pages_of_guests_and_members(number: int) -> list[Page]:
    pages = []
    for turn in range(number):
        client = Client()
        if turn % 2:
            await in_thread(client.force_login)(await in_thread(factories.user)())
            pages.append(await Page.load(client))
        else:
            order = await an_order(client)
            pages.append(await Page.load(client, order.get_absolute_url()))
    return pages


async def greeted(pages: list[Page]) -> int:
    """How many queries it takes to greet them all."""
    async with Queries() as queries:
        sockets = [await page.connect() for page in pages]
        for socket in sockets:
            await socket.word()
    return queries.count


async def test_greeting_many_pages_at_once_takes_as_many_queries_as_greeting_two(monkeypatch):
    monkeypatch.setattr(sweep, "GATHERING", 0.5)
    monkeypatch.setattr(sweep, "INTERVAL", 3600)
    monkeypatch.setattr(stock, "PAUSE", 0)  # what the orders did to it was read before we count

    two = await greeted(await pages_of_guests_and_members(2))
    twenty = await greeted(await pages_of_guests_and_members(20))

    assert 0 < two < 10
    assert twenty in (two, 2 * two)  # a slow machine may gather them in two rounds


async def test_a_quiet_patrol_renders_nothing(shopper, quick_patrols, pushes):
    order = await an_order(shopper)
    pages = [await live(shopper), await live(shopper, order.get_absolute_url()), await live(Client())]
    pushes.clear()

    for page in pages:
        await page.patrolled()
        await page.patrolled()

    assert pushes == []


async def test_a_change_is_rendered_once_for_each_audience_however_many_pages_show_it(
    shopper, deliver, no_patrols, pushes
):
    order = await an_order(shopper)
    path = order.get_absolute_url()
    pages: list[Socket] = [await live(shopper, at) for at in ("/", "/orders/", path) * 3]
    strangers = [await live(Client()) for _ in range(3)]
    pushes.clear()

    await in_thread(deliver)(stripe_events.completed(order))

    for page in pages:
        await page.frame(lambda frame: frame.status == PaymentStatus.PAID)
    for page in strangers:
        await page.frame(lambda frame: frame.key.startswith("stock-"))
    assert sorted(pushes) == ["live/_order.html", "live/_order_row.html", "live/_stock.html"]


async def test_a_rush_of_orders_reads_and_renders_the_stock_once_for_what_gathered(
    monkeypatch, no_patrols, pushes
):
    bell = await in_thread(factories.product)(stock=50)
    page = await live(Client())
    monkeypatch.setattr(stock, "PAUSE", 1)
    pushes.clear()

    await in_thread(lambda: [factories.order(factories.guest(), (bell, 1)) for _ in range(20)])()

    await page.frame(lambda frame: 'data-available="30"' in frame.text)
    assert pushes.count("live/_stock.html") <= 2  # the first at once, and one for all that followed it


async def test_what_was_hurried_is_not_rendered_again_by_the_patrol(shopper, deliver, quick_patrols, pushes):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    await in_thread(deliver)(stripe_events.completed(order))
    await page.patrolled()
    pushes.clear()

    await page.patrolled()

    assert pushes == []
