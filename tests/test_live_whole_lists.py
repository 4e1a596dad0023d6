"""A list of staff's that missed too much, or has outlived its day, is sent whole."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from realtime import look
from shop.dashboard import feed
from tests import factories
from tests.live import Page, in_thread, live, row

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/dashboard/"


@pytest.fixture
def staff(viewer: User) -> Client:
    return factories.browser_of(viewer)


async def test_a_list_that_missed_more_than_it_can_be_told_of_is_sent_whole(staff, no_patrols, monkeypatch):
    monkeypatch.setattr(look, "MOST_NEWS", 5)
    page = await Page.load(staff, LIST)

    orders = [await in_thread(factories.paid_order)() for _ in range(6)]

    socket = await page.go_live()
    [whole] = [frame for frame in socket.frames if frame.target == "#payments"]
    assert 'hx-swap="innerMorph"' in whole.text
    assert re.findall(r'<li id="(row-[^"]+)"', whole.text) == [row(order) for order in reversed(orders)]
    assert not [frame for frame in socket.frames if frame.key and frame.target != "#payments"]


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


async def test_todays_list_that_comes_back_after_midnight_is_another(staff, no_patrols, monkeypatch):
    order = await in_thread(factories.paid_order)()
    everything, todays = await Page.load(staff, LIST), await Page.load(staff, f"{LIST}?period=today")

    localdate, tomorrow = timezone.localdate, timezone.localdate() + timedelta(days=1)
    monkeypatch.setattr(timezone, "localdate", lambda time=None: localdate(time) if time else tomorrow)

    [whole] = [frame for frame in (await todays.go_live()).frames if frame.target == "#payments"]
    assert row(order) not in whole.text
    assert not [frame for frame in (await everything.go_live()).frames if frame.target == "#payments"]
