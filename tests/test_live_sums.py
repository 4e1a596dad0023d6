"""The sums on staff's pages: pushed when they change, each with its version, and read no more than needed."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.template import Template
from django.test import Client
from django.test.signals import template_rendered

from realtime import panels, sweep
from shop.models import Source
from tests import factories
from tests.live import Page, Queries, Socket, an_order, in_thread, live, row

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/dashboard/"


@pytest.fixture
def staff(viewer: User) -> Client:
    return factories.browser_of(viewer)


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
    began = time.monotonic()

    orders = [await in_thread(factories.order)() for _ in range(10)]  # sweeps come in between

    await page.frame(
        lambda frame: frame.target == "#checkouts" and all(order.number in frame.text for order in orders)
    )
    seconds = time.monotonic() - began
    assert rendered.count("live/_checkouts.html checkouts") <= 1 + seconds / panels.PACE


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
