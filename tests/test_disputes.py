"""What banks take back, or ask about: followed in any order, and the goods wait meanwhile."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import get_args

import pytest
import stripe
from asgiref.sync import async_to_sync
from django.db.models import F

from shop.models import (
    Dispute,
    FulfilmentStatus,
    OrderChange,
    Outcome,
    PaymentStatus,
    Source,
    StripeEvent,
)
from shop.models.moves import HARMLESS
from shop.reconcile import Reconciler
from tests import factories
from tests.stripe_events import completed, dispute, event

pytestmark = pytest.mark.django_db

OPENED, UPDATED, CLOSED = "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"
WITHDRAWN, REINSTATED = "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"


@pytest.fixture
def order():
    return factories.paid_order()


def outcome_of(event):
    return StripeEvent.objects.get(pk=event["id"]).outcome


def standing(order):
    """Whether it is disputed, and the status of each dispute, oldest first."""
    order.refresh_from_db()
    return order.disputed, list(order.disputes.values_list("status", flat=True))


def test_a_dispute_is_recorded_and_told(deliver, caplog, order):
    due_by = int(datetime(2030, 1, 9, 23, 59, 59, tzinfo=UTC).timestamp())
    told = event(OPENED, dispute(order, amount=1200, evidence_details={"due_by": due_by}))
    assert deliver(told).status_code == 200

    assert standing(order) == (True, ["needs_response"])
    row, change = Dispute.objects.get(), order.changes.latest("version")
    assert (row.amount, row.currency, row.reason) == (1200, "eur", "fraudulent")
    assert row.evidence_due_by == datetime(2030, 1, 9, 23, 59, 59, tzinfo=UTC)
    assert (change.what, change.after, change.amount) == ("dispute", "needs_response", 1200)
    assert change.source == Source.WEBHOOK
    assert (order.payment_status, order.refunded_amount) == (PaymentStatus.PAID, 0)
    assert [record.levelname for record in caplog.records] == ["ERROR"], "somebody has to answer the bank"


@pytest.mark.parametrize("due_by", [None, 0, -1, 2**40, "soon"])
def test_a_dispute_that_cannot_be_answered_has_no_time_to_answer(deliver, order, due_by):
    deliver(event(OPENED, dispute(order, evidence_details={"due_by": due_by})))
    assert Dispute.objects.get().evidence_due_by is None


STORIES = {
    "won": [(OPENED, "needs_response"), (UPDATED, "under_review"), (CLOSED, "won")],
    "lost": [(OPENED, "needs_response"), (UPDATED, "under_review"), (CLOSED, "lost")],
    "lost, and won on appeal": [(OPENED, "needs_response"), (CLOSED, "lost"), (CLOSED, "won")],
    "appealed by the bank": [
        (UPDATED, "under_review"),
        (UPDATED, "appeal_needs_response"),
        (UPDATED, "appeal_under_review"),
        (CLOSED, "lost"),
    ],
    "asked about": [
        (OPENED, "warning_needs_response"),
        (UPDATED, "warning_under_review"),
        (CLOSED, "warning_closed"),
    ],
    "asked about, then taken": [
        (OPENED, "warning_needs_response"),
        (UPDATED, "needs_response"),
        (CLOSED, "lost"),
    ],
    "prevented": [(OPENED, "needs_response"), (CLOSED, "prevented")],
}
ARRIVALS = [(name, arrival) for name, story in STORIES.items() for arrival in permutations(range(len(story)))]


@pytest.mark.parametrize(("name", "arrival"), ARRIVALS, ids=[f"{name}, {how}" for name, how in ARRIVALS])
def test_in_whatever_order_its_news_come_and_come_again_a_dispute_ends_the_same_24(
    deliver, order, name, arrival
):
    story, made = STORIES[name], dispute(order)
    news = [event(kind, made | {"status": status}) for kind, status in story]
    for which in (*arrival, *arrival):
        assert deliver(news[which]).status_code == 200

    end = story[-1][1]
    assert standing(order) == (end not in HARMLESS, [end])


def test_money_that_goes_and_comes_is_told_by_the_disputes_own_status(deliver, order):
    made = dispute(order)
    for kind, status in [(OPENED, "needs_response"), (WITHDRAWN, "needs_response"), (REINSTATED, "won")]:
        assert deliver(event(kind, made | {"status": status})).status_code == 200

    assert standing(order) == (False, ["won"])
    told = OrderChange.objects.filter(order=order, what="dispute").values_list("before", "after")
    assert list(told) == [("", "needs_response"), ("needs_response", "won")]


KNOWN_TO_THE_SDK, _others = get_args(stripe.Dispute.__annotations__["status"])


@pytest.mark.parametrize("status", get_args(KNOWN_TO_THE_SDK))
def test_every_status_of_stripes_is_known(deliver, order, status):
    assert deliver(event(UPDATED, dispute(order, status=status))).status_code == 200
    assert standing(order) == (status not in HARMLESS, [status])


# --- the goods wait -----------------------------------------------------------------------------------


def test_a_dispute_pauses_what_would_be_sent_until_it_is_won(deliver, order):
    order.fulfilment.prepare(who_id=None)
    made = dispute(order)
    deliver(event(OPENED, made))
    assert not order.fulfilment.ship(carrier="", tracking_url="", who_id=None)
    assert order.fulfilment.undo(step=FulfilmentStatus.PREPARING, who_id=None), (
        "what is packed can be unpacked"
    )
    assert not order.fulfilment.prepare(who_id=None)

    deliver(event(CLOSED, made | {"status": "won"}))
    assert order.fulfilment.prepare(who_id=None)
    assert order.fulfilment.ship(carrier="", tracking_url="", who_id=None)


def test_goods_of_a_lost_dispute_stay(deliver, order):
    deliver(event(CLOSED, dispute(order, status="lost")))
    assert not order.fulfilment.prepare(who_id=None)


def test_what_is_on_its_way_arrives_all_the_same(deliver, order):
    order.fulfilment.prepare(who_id=None)
    order.fulfilment.ship(carrier="", tracking_url="", who_id=None)
    deliver(event(OPENED, dispute(order)))

    assert order.fulfilment.deliver(who_id=None)


def test_with_two_disputes_the_goods_wait_for_the_end_of_both(deliver, order):
    one, two = dispute(order, amount=1000), dispute(order, amount=1500)
    deliver(event(OPENED, one))
    deliver(event(OPENED, two))
    deliver(event(CLOSED, one | {"status": "won"}))
    assert standing(order) == (True, ["won", "needs_response"])

    deliver(event(CLOSED, two | {"status": "won"}))
    assert standing(order) == (False, ["won", "won"])


# --- too early, and not ours ------------------------------------------------------------------------


def test_a_dispute_that_is_told_of_before_its_payment_is_tried_again_24(deliver):
    order = factories.order()
    early = event(OPENED, dispute(order))
    assert deliver(early).status_code == 200
    assert outcome_of(early) == Outcome.UNMATCHED

    deliver(completed(order))
    StripeEvent.objects.update(retry_at=F("retry_at") - timedelta(minutes=1))
    async_to_sync(Reconciler().stored_events)()
    assert standing(order) == (True, ["needs_response"])
    assert outcome_of(early) == Outcome.APPLIED


def test_a_dispute_of_money_that_is_still_on_its_way_waits_for_it(deliver):
    order = factories.order()
    deliver(completed(order, payment_status="unpaid"))
    early = event(OPENED, dispute(order))
    assert deliver(early).status_code == 200

    assert outcome_of(early) == Outcome.UNMATCHED
    assert standing(order) == (False, [])


def test_a_dispute_of_a_payment_that_is_not_ours_changes_nothing_and_is_an_alert(deliver, caplog, order):
    foreign = event(OPENED, dispute(order, payment_intent="pi_of_nobody"))
    assert deliver(foreign).status_code == 200

    assert outcome_of(foreign) == Outcome.UNMATCHED
    assert standing(order) == (False, [])
    assert [record.levelname for record in caplog.records] == ["ERROR"]
