"""A page never goes back in time and is never told the same thing twice, whatever comes late or doubled."""

from dataclasses import replace

import pytest

from realtime import sweep
from realtime.publish import publish
from shop.models import Order, PaymentStatus, Source
from tests import factories, stripe_events
from tests.live import Page, Socket, an_order, as_pushed, in_thread, live

pytestmark = pytest.mark.django_db(transaction=True)


async def a_sign_of_life(order: Order, page: Socket) -> None:
    """Change the order once more and wait for it: what was to come before that has come."""
    changed = order.version
    await in_thread(order.flag)(f"Look at version {changed}.", source=Source.STAFF)
    await page.frame(lambda frame: frame.version > changed)


async def test_a_fragment_that_comes_late_never_reaches_a_page_that_is_further(shopper, deliver):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    pending = await as_pushed(order)
    await in_thread(deliver)(stripe_events.completed(order))
    await page.frame(lambda frame: frame.status == PaymentStatus.PAID)
    seen = len(page.frames)

    await in_thread(publish)(pending)
    await a_sign_of_life(order, page)

    assert [frame.status for frame in page.frames[seen:]] == [PaymentStatus.PAID]


async def test_a_fragment_that_comes_late_loses_against_the_greeting(shopper, deliver, monkeypatch):
    monkeypatch.setattr(sweep, "GATHERING", 0.5)
    order = await an_order(shopper)
    page = await Page.load(shopper, order.get_absolute_url())
    pending = await as_pushed(order)
    await in_thread(deliver)(stripe_events.completed(order))
    socket = await page.connect()

    await in_thread(publish)(pending)
    await socket.word()
    await in_thread(publish)(pending)
    await a_sign_of_life(order, socket)

    assert [frame.version for frame in socket.frames] == [2, 3]


async def test_a_fragment_from_before_the_page_was_rendered_never_reaches_it(shopper, deliver):
    order = await an_order(shopper)
    pending = await as_pushed(order)
    await in_thread(deliver)(stripe_events.completed(order))
    # The page is not told of it, so it knows no version to compare with.
    await in_thread(factories.long_ago)()
    stale = [replace(fragment, changed_at=fragment.changed_at - 3600) for fragment in pending]
    page = await live(shopper, order.get_absolute_url())
    assert page.frames == []

    await in_thread(publish)(stale)
    await a_sign_of_life(order, page)

    assert [frame.version for frame in page.frames] == [3]


async def test_the_same_version_is_sent_once_however_often_it_is_hurried_and_swept(
    shopper, deliver, monkeypatch
):
    monkeypatch.setattr(sweep, "INTERVAL", 0.05)
    monkeypatch.setattr(sweep, "HEARTBEAT", 1)
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    seen = len(page.frames)

    await in_thread(deliver)(stripe_events.completed(order))
    paid = await as_pushed(order)
    for _ in range(3):
        await in_thread(publish)(paid)
        await page.patrolled()

    assert [frame.version for frame in page.frames[seen:]] == [2]


async def test_thirty_changes_arrive_in_order_and_the_last_one_always(shopper):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    seen = len(page.frames)

    for number in range(30):
        await in_thread(order.flag)(f"Reason {number}.", source=Source.STAFF)
    await page.frame(lambda frame: frame.version == 31)

    versions = [frame.version for frame in page.frames[seen:]]
    assert versions == sorted(set(versions))
