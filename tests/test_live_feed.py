"""Staff's list of payments follows what happens, through its filter, as long as its viewer may look."""

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from realtime import sweep
from realtime.hub import running_hub
from shop.models import Order, PaymentStatus, Source
from tests import factories, stripe_events
from tests.live import Page, an_order, in_thread, live, row, until

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/dashboard/"


@pytest.fixture
def staff(viewer: User) -> Client:
    return factories.browser_of(viewer)


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
