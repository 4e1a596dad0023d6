"""What the dashboard is pushed is true: sums equal the database, and Stripe's deliveries pass the filter."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Sum
from django.test import Client

from realtime import panels
from shop import flight
from shop.dashboard import recorder
from shop.models import Order, PaymentStatus, Source, StripeEvent
from tests import factories, stripe_events
from tests.live import Frame, an_order, in_thread, live

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/dashboard/"
WEBHOOKS = "/dashboard/webhooks/"


@pytest.fixture
def staff(viewer: User) -> Client:
    return factories.browser_of(viewer)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recorder writes, and tells of it, at once."""
    at_once = flight.Recorder(interval=0.01)
    monkeypatch.setattr(flight, "recorder", at_once)
    yield
    at_once.close()


def number(frame: Frame, name: str) -> str:
    """Today's, as it is read."""
    [shown] = re.findall(rf'data-number="{name}".*?class="number-today">(.*?)</dd>', frame.text, re.DOTALL)
    return re.sub("<[^>]*>", "", shown).strip()


def deliveries(text: str) -> list[str]:
    return re.findall(r'id="delivery-([^"]+)"', text)


def something(event_type: str = "customer.created") -> dict[str, Any]:
    return stripe_events.event(event_type, {"object": "thing"})


# --- sums -----------------------------------------------------------------------------------------


async def test_the_numbers_that_are_pushed_after_a_payment_equal_the_database(staff, deliver, no_patrols):
    orders = [await an_order(Client()) for _ in range(3)]
    page = await live(staff, LIST)

    for paid, order in enumerate(orders[:2], start=1):
        await in_thread(deliver)(stripe_events.completed(order))
        frame = await page.frame(
            lambda frame: frame.target == "#numbers" and number(frame, "payments") == str(paid)  # noqa: B023
        )
    rows = Order.objects.filter(payment_status=PaymentStatus.PAID)
    revenue = (await rows.aaggregate(sum=Sum("amount_total")))["sum"]
    waiting = await Order.objects.filter(payment_status=PaymentStatus.PENDING).acount()

    assert number(frame, "revenue") == f"€{revenue / 100:.2f}"
    assert number(frame, "average") == f"€{revenue / 2 / 100:.2f}"
    assert number(frame, "checkouts") == str(waiting) == "1"
    frame = await page.frame(
        lambda frame: frame.target == "#checkouts" and orders[1].number not in frame.text
    )
    assert "<strong>1</strong> started" in frame.text
    assert "<strong>2</strong> units held" in frame.text


# --- Stripe's deliveries --------------------------------------------------------------------------


async def test_a_delivery_is_pushed_where_the_filter_lets_it_through_and_only_there(
    staff, deliver, quick_patrols, monkeypatch
):
    monkeypatch.setattr(panels, "PACE", 0)
    every, few = await live(staff, WEBHOOKS), await live(staff, f"{WEBHOOKS}?type=payout.")
    few.frames.clear()
    other, wanted = something("customer.created"), something("payout.paid")

    await in_thread(deliver)(other)
    await every.frame(lambda frame: frame.target == "#recorder" and other["id"] in frame.text)
    await few.patrolled()
    assert [frame for frame in few.frames if other["id"] in frame.text] == []

    await in_thread(deliver)(wanted)
    frame = await few.frame(lambda frame: frame.target == "#recorder" and wanted["id"] in frame.text)
    assert deliveries(frame.text) == [wanted["id"]]


async def test_an_older_page_of_deliveries_is_not_shuffled_by_newer_ones(
    staff, deliver, quick_patrols, monkeypatch
):
    monkeypatch.setattr(panels, "PACE", 0)
    monkeypatch.setattr(recorder, "PER_PAGE", 2)
    old = [something() for _ in range(3)]
    for event in old:
        await in_thread(deliver)(event)
    newest = (await in_thread(staff.get)(WEBHOOKS)).text
    [older] = re.findall(r'rel="next" href="([^"]+)"', newest)
    assert deliveries(newest) == [old[2]["id"], old[1]["id"]]
    first, second = await live(staff, WEBHOOKS), await live(staff, WEBHOOKS + older)

    late = something()
    await in_thread(deliver)(late)

    await first.frame(lambda frame: frame.target == "#recorder" and late["id"] in frame.text)
    await second.patrolled()
    shown = [deliveries(frame.text) for frame in second.frames if frame.target == "#recorder"]
    assert all(ids == [old[0]["id"]] for ids in shown)
    assert deliveries((await in_thread(staff.get)(WEBHOOKS + older)).text) == [old[0]["id"]]


async def test_who_loses_the_right_is_shown_no_more_deliveries(staff, viewer, deliver, hurried, no_patrols):
    page = await live(staff, WEBHOOKS)
    first = something()
    await in_thread(deliver)(first)
    await page.frame(lambda frame: frame.target == "#recorder" and first["id"] in frame.text)
    page.frames.clear()

    await in_thread(viewer.user_permissions.clear)()
    late = something()
    await in_thread(deliver)(late)

    assert await page.closes() == 4403
    assert [frame for frame in page.frames if late["id"] in frame.text] == []


async def test_a_page_of_deliveries_closes_without_the_right_although_nothing_comes(
    staff, viewer, quick_patrols
):
    page = await live(staff, WEBHOOKS)

    await in_thread(viewer.user_permissions.clear)()

    assert await page.closes() == 4403


# --- who told -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source.RETURN_PAGE, "Return from Stripe"),
        (Source.RECONCILER, "Reconciler"),
        (Source.REPLAY, "Replay"),
        (Source.STAFF, "Staff"),
    ],
)
async def test_a_row_says_who_told_of_the_payment_or_ended_it(staff, no_patrols, source, words):
    order = await an_order(Client())
    page = await live(staff, f"{LIST}?status=all")

    if source == Source.STAFF:
        await in_thread(order.checkout.ask_to_cancel)(source=source)
        await in_thread(order.expire)(source=Source.WEBHOOK)
    else:
        known = {"payment_intent_id": "pi_1", "email": "ada@example.com"}
        await in_thread(order.mark_paid)(**known, source=source)

    frame = await page.frame(
        lambda frame: frame.key == f"row-{order.public_id}" and frame.status in ("paid", "cancelled")
    )
    assert re.findall(r'class="row-source">([^<]*)<', frame.text) == [words]


# --- nothing yet ----------------------------------------------------------------------------------


def test_where_there_is_nothing_yet_it_says_what_will_be_there(staff):
    page, webhooks = staff.get(LIST).text, staff.get(WEBHOOKS).text

    assert "No payment has come in yet." in page
    assert "Nothing matches this filter yet." in staff.get(f"{LIST}?status=failed").text
    assert "Nobody is paying just now." in page
    assert "No events yet: how long each leg takes will stand here." in webhooks
    assert webhooks.count("<dd>–</dd>") == 6, "two figures of each leg"
    assert not StripeEvent.objects.exists()
