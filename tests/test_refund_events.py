"""What Stripe tells of refunds: in any order, twice, too early, and of those that we did not make."""

from datetime import timedelta
from functools import partial
from itertools import permutations

import pytest
from asgiref.sync import async_to_sync
from django.db.models import F
from django.test import Client

from shop.models import (
    NotRefundable,
    Order,
    OrderChange,
    Outcome,
    PaymentStatus,
    Refund,
    Source,
    StripeEvent,
)
from shop.reconcile import Reconciler
from tests import factories, stripe_events, worker
from tests.stripe_events import charge_refunded, completed, event, refund

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    """Paid with 2,500."""
    return factories.paid_order()


def outcome_of(event):
    return StripeEvent.objects.get(pk=event["id"]).outcome


def requested(order, amount, **fields):
    return Refund.objects.request(order, amount, **{"reason": "", "note": "", "who_id": None} | fields)


def standing(order):
    """What was given back, and the status of each refund, oldest first."""
    order.refresh_from_db()
    return order.refunded_amount, list(order.refunds.values_list("status", flat=True))


# --- made at Stripe ---------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, 1250, 2500])
def test_a_refund_made_at_stripe_is_counted_and_told(deliver, order, amount):
    made = event("refund.created", refund(order, amount, reason="duplicate"))
    assert deliver(made).status_code == 200

    assert standing(order) == (amount, ["succeeded"])
    assert order.refundable_amount == 2500 - amount
    assert order.payment_status == PaymentStatus.PAID, "a refund rewrites no payment"
    row, change = Refund.objects.get(), order.changes.latest("version")
    assert (row.amount, row.reason, row.requested_by) == (amount, "duplicate", None)
    assert (change.what, change.after, change.amount) == ("refund", "succeeded", amount)
    assert (change.source, change.who) == (Source.WEBHOOK, None)
    assert outcome_of(made) == Outcome.APPLIED


def test_parts_add_up(deliver, order):
    for amount in (500, 700):
        deliver(event("refund.created", refund(order, amount)))

    assert standing(order) == (1200, ["succeeded", "succeeded"])


@pytest.mark.parametrize("status", ["pending", "requires_action"])
def test_money_on_its_way_back_counts_as_gone(deliver, order, status):
    deliver(event("refund.created", refund(order, 2500, status=status)))

    assert standing(order) == (2500, [status])
    with pytest.raises(NotRefundable):
        requested(order, 1)


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_money_that_came_back_to_us_can_be_refunded_again(deliver, order, status):
    made = refund(order, 2500, status="succeeded" if status == "failed" else "pending")
    deliver(event("refund.created", made))
    gone_wrong = {"status": status, "failure_reason": "lost_or_stolen_card"}
    deliver(event("refund.updated", made | gone_wrong))

    assert standing(order) == (0, [status])
    assert Refund.objects.get().failure_reason == "lost_or_stolen_card"
    assert requested(order, 2500).amount == 2500


STORIES = {
    "refunded": (["pending", "succeeded"], "succeeded"),
    "failed at last": (["pending", "succeeded", "failed"], "failed"),
    "failed at once": (["pending", "failed"], "failed"),
    "waited for the customer": (["pending", "requires_action", "succeeded"], "succeeded"),
    "canceled": (["requires_action", "canceled"], "canceled"),
}
ARRIVALS = [
    (name, arrival) for name, (story, _end) in STORIES.items() for arrival in permutations(range(len(story)))
]


@pytest.mark.parametrize(("name", "arrival"), ARRIVALS, ids=[f"{name}, {how}" for name, how in ARRIVALS])
def test_in_whatever_order_its_news_come_and_come_again_a_refund_ends_the_same_24(
    deliver, order, name, arrival
):
    story, end = STORIES[name]
    made = refund(order, 1000)
    news = [event("refund.updated", made | {"status": status}) for status in story]
    for which in (*arrival, *arrival):
        assert deliver(news[which]).status_code == 200

    assert standing(order) == (1000 if end == "succeeded" else 0, [end])
    assert Refund.objects.get().stripe_refund_id == made["id"]


@pytest.mark.parametrize(
    "kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]
)
def test_whichever_kind_of_event_tells_of_it_first_will_do(deliver, order, kind):
    status = "failed" if kind == "refund.failed" else "succeeded"
    deliver(event(kind, refund(order, 700, status=status)))

    assert standing(order) == (0 if status == "failed" else 700, [status])


@pytest.mark.django_db(transaction=True)
def test_all_that_there_is_to_tell_at_the_same_moment_is_one_refund_23(at_once, order):
    made = refund(order, 1000)
    kinds = ["refund.created", "refund.updated", "charge.refund.updated"] * 3

    def post(event):
        body, headers = stripe_events.signed(event)
        return Client().post("/stripe-webhook/", body, content_type="application/json", headers=headers)

    answers = at_once([partial(post, event(kind, made)) for kind in kinds])
    assert [answer.status_code for answer in answers] == [200] * 9
    assert standing(order) == (1000, ["succeeded"])
    assert OrderChange.objects.filter(order=order, what="refund").count() == 1


# --- made by us -------------------------------------------------------------------------------------


def test_a_refund_that_we_asked_for_is_the_row_of_whoever_asked(deliver, order):
    staff = factories.user()
    asked = requested(order, 800, note="Scratched.", who_id=staff.pk)
    deliver(event("refund.created", refund(order, 800, metadata={"refund": str(asked.public_id)})))

    assert standing(order) == (800, ["succeeded"])
    row, change = Refund.objects.get(), order.changes.latest("version")
    assert (row.pk, row.note, row.requested_by) == (asked.pk, "Scratched.", staff)
    assert (change.before, change.after, change.who) == ("requested", "succeeded", staff)


@pytest.mark.parametrize("name", ["", "nobody's", "6f9619ff-8b86-4011-b42d-00c04fc964ff", None, 7])
def test_a_refund_that_names_none_of_ours_is_one_made_at_stripe(deliver, order, name):
    requested(order, 800)
    deliver(event("refund.created", refund(order, 800, metadata={"refund": name})))

    assert standing(order) == (800, ["requested", "succeeded"])


def test_a_refund_names_a_row_of_its_own_order_or_none(deliver, order):
    other = factories.paid_order()
    asked = requested(other, 800)
    deliver(event("refund.created", refund(order, 800, metadata={"refund": str(asked.public_id)})))

    assert standing(other) == (0, ["requested"])
    assert standing(order) == (800, ["succeeded"])


def test_a_refund_that_we_took_for_refused_counts_if_stripe_has_made_it(deliver, order):
    asked = requested(order, 800)
    Refund.objects.refuse(asked, "No.")
    deliver(event("refund.created", refund(order, 800, metadata={"refund": str(asked.public_id)})))

    assert standing(order) == (800, ["failed", "succeeded"])


# --- too early, too much, not ours ------------------------------------------------------------------


def test_a_refund_that_is_told_of_before_its_payment_is_tried_again_and_counts_then_24(deliver, caplog):
    order = factories.order()
    early = event("refund.created", refund(order, 500))
    assert deliver(early).status_code == 200
    assert outcome_of(early) == Outcome.UNMATCHED
    assert [record.levelname for record in caplog.records] == ["ERROR"]

    deliver(completed(order))
    async_to_sync(Reconciler().stored_events)()
    assert standing(order) == (0, []), "its time has not come"
    StripeEvent.objects.update(retry_at=F("retry_at") - timedelta(minutes=1))
    async_to_sync(Reconciler().stored_events)()

    assert standing(order) == (500, ["succeeded"])
    assert outcome_of(early) == Outcome.APPLIED
    assert order.changes.latest("version").source == Source.RECONCILER


def test_a_refund_of_money_that_is_still_on_its_way_waits_for_it(deliver):
    order = factories.order()
    deliver(completed(order, payment_status="unpaid"))
    early = event("refund.created", refund(order, 500))
    assert deliver(early).status_code == 200

    assert outcome_of(early) == Outcome.UNMATCHED
    assert standing(order) == (0, [])


@pytest.mark.parametrize("intent", ["pi_of_nobody", "", None, 7, {}])
def test_a_refund_of_a_payment_that_is_not_ours_changes_nothing_and_is_an_alert(
    deliver, caplog, order, intent
):
    foreign = event("refund.created", refund(order, 500, payment_intent=intent))
    assert deliver(foreign).status_code == 200

    assert outcome_of(foreign) == Outcome.UNMATCHED
    assert standing(order) == (0, [])
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_refund_that_carries_its_payment_with_it_is_understood(deliver, order):
    whole = {"id": order.payment_intent_id, "object": "payment_intent"}
    deliver(event("refund.created", refund(order, 500, payment_intent=whole)))

    assert standing(order) == (500, ["succeeded"])


@pytest.mark.parametrize(
    "odd", [{"currency": "usd"}, {"amount": 0}, {"amount": -5}, {"amount": "500"}], ids=str
)
def test_a_refund_that_makes_no_sense_holds_the_order_for_staff(deliver, caplog, order, odd):
    strange = event("refund.created", refund(order, 500) | odd)
    assert deliver(strange).status_code == 200

    assert outcome_of(strange) == Outcome.HELD
    assert standing(order) == (0, [])
    assert order.needs_attention
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_more_than_the_order_cost_is_never_counted_and_staff_are_told(deliver, order):
    deliver(event("refund.created", refund(order, 2000)))
    deliver(event("refund.created", refund(order, 2000)))

    assert standing(order) == (2500, ["succeeded", "succeeded"])
    assert "More was refunded" in order.needs_attention


# --- the charge knows the sum -----------------------------------------------------------------------


def test_a_sum_that_is_ours_is_no_news(deliver, order):
    deliver(event("refund.created", refund(order, 500)))
    told = charge_refunded(order, 500)
    deliver(told)

    assert outcome_of(told) == Outcome.IGNORED
    assert worker.waiting("look_up_refunds") == 0


@pytest.mark.django_db(transaction=True)
def test_a_sum_that_is_not_ours_has_stripe_asked_for_its_refunds(stripe, deliver):
    client = Client()
    bell = factories.product(stock=5)
    hosted = client.post("/checkout/", {f"quantity-{bell.slug}": 2})["Location"].rsplit("/", 1)[1]
    stripe.pay(stripe.client().v1.checkout.sessions.retrieve(hosted))
    session = stripe.client().v1.checkout.sessions.retrieve(hosted)
    deliver(event("checkout.session.completed", session.to_dict()))
    order = Order.objects.get()
    for amount in (300, 400):
        stripe.client().v1.refunds.create({"payment_intent": order.payment_intent_id, "amount": amount})

    told = charge_refunded(order, 700)
    assert deliver(told).status_code == 200
    assert outcome_of(told) == Outcome.APPLIED
    assert standing(order) == (0, []), "a webhook waits for nobody"
    worker.work()

    assert standing(order) == (700, ["succeeded", "succeeded"])
    assert list(order.refunds.values_list("amount", flat=True)) == [300, 400]
    assert order.changes.latest("version").source == Source.RECONCILER


def test_a_sum_that_is_told_of_before_the_payment_is_tried_again(deliver):
    early = charge_refunded(factories.order(), 700)
    assert deliver(early).status_code == 200

    assert outcome_of(early) == Outcome.UNMATCHED
    assert worker.waiting("look_up_refunds") == 0


@pytest.mark.parametrize("status", ["pending", "requires_action", "succeeded", "failed", "canceled"])
def test_every_status_of_stripes_is_known(deliver, order, status):
    """https://docs.stripe.com/api/refunds/object#refund_object-status"""
    assert deliver(event("refund.updated", refund(order, 500, status=status))).status_code == 200
    assert standing(order)[1] == [status]


def test_a_refund_of_before_statuses_is_under_way(deliver, order):
    """Stripe's oldest refunds have none. https://docs.stripe.com/api/refunds/object#refund_object-status"""
    deliver(event("refund.created", refund(order, 500, status=None)))
    assert standing(order) == (500, ["pending"])
