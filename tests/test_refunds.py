"""Staff give money back: their wish is written down, then Stripe is asked, and nothing goes back twice."""

from functools import partial

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.test import Client

from shop import refunds
from shop.models import NotRefundable, Order, PaymentStatus, Refund, RefundStatus, Source
from tests import factories
from tests.stripe_events import event, refund

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_retries")]


def request(order, amount, **fields):
    return Refund.objects.request(order, amount, **{"reason": "", "note": "", "who_id": None} | fields)


def refused(order, amount):
    """Why it is."""
    with pytest.raises(NotRefundable) as refusal, transaction.atomic():
        request(order, amount)
    return str(refusal.value)


# --- the wish ---------------------------------------------------------------------------------------


def test_a_wish_is_written_down_and_counts_only_when_stripe_has_done_it():
    order, staff = factories.paid_order(), factories.user()
    made = request(order, 800, reason="duplicate", note="Scratched.", who_id=staff.pk)

    assert (made.status, made.amount, made.stripe_refund_id) == (RefundStatus.REQUESTED, 800, None)
    order.refresh_from_db()
    assert (order.refunded_amount, order.version) == (0, 3)
    change = order.changes.latest("version")
    assert (change.what, change.before, change.after, change.amount) == ("refund", "", "requested", 800)
    assert (change.source, change.who) == (Source.STAFF, staff)


@pytest.mark.parametrize("amount", [0, -1, 2501, 2**53])
def test_no_more_than_was_paid_and_no_less_than_something(amount):
    order = factories.paid_order()
    assert "more than what is left" in refused(order, amount)

    assert not Refund.objects.exists()
    assert Order.objects.get().version == 2


def test_no_more_than_is_left(deliver):
    order = factories.paid_order()
    deliver(event("refund.created", refund(order, 2000)))

    assert "more than what is left" in refused(order, 501)
    assert request(order, 500).amount == 500


def test_what_is_left_goes_by_the_database_not_by_what_the_caller_read_long_ago(deliver):
    stale = factories.paid_order()
    deliver(event("refund.created", refund(stale, 2000)))

    assert stale.refundable_amount == 2500
    assert "more than what is left" in refused(stale, 501)


@pytest.mark.parametrize("verb", [None, "expire", "mark_processing", "mark_failed"])
def test_only_what_was_paid_is_given_back(verb):
    order = factories.order()
    facts = {} if verb == "expire" else {"payment_intent_id": "pi_1", "email": ""}
    if verb:
        getattr(order, verb)(source=Source.WEBHOOK, **facts)

    assert order.payment_status != PaymentStatus.PAID
    assert "Nothing has been paid" in refused(order, 1)


def test_one_at_a_time():
    order = factories.paid_order()
    first = request(order, 500)
    assert "just being made" in refused(order, 500)

    Refund.objects.refuse(first, "No.")
    assert request(order, 500).status == RefundStatus.REQUESTED


@pytest.mark.django_db(transaction=True)
def test_two_of_the_staff_at_the_same_moment_refund_once(at_once):
    order = factories.paid_order()

    def wish():
        try:
            return request(Order.objects.get(pk=order.pk), 2500).amount
        except NotRefundable:
            return 0

    assert sum(at_once([wish] * 8)) == 2500
    assert Refund.objects.count() == 1


# --- Stripe's answer --------------------------------------------------------------------------------


@pytest.fixture
def paid(stripe, deliver):
    """An order of 2,500 that was paid at the local Stripe."""
    bell = factories.product(stock=5)
    hosted = Client().post("/checkout/", {f"quantity-{bell.slug}": 2})["Location"].rsplit("/", 1)[1]
    sessions = stripe.client().v1.checkout.sessions
    stripe.pay(sessions.retrieve(hosted))
    deliver(event("checkout.session.completed", sessions.retrieve(hosted).to_dict()))
    return Order.objects.get()


def send(made):
    return async_to_sync(refunds.send)(made)


def at_stripe(stripe, order):
    """Amounts of all refunds there, oldest first."""
    made = stripe.client().v1.refunds.list({"payment_intent": order.payment_intent_id}).data
    return [one.amount for one in reversed(made)]


def standing(order):
    order.refresh_from_db()
    return order.refunded_amount, list(order.refunds.values_list("status", flat=True))


def test_stripe_gives_back_what_staff_wish_and_says_so(stripe, paid):
    staff = factories.user()
    assert send(request(paid, 800, reason="duplicate", who_id=staff.pk))

    assert at_stripe(stripe, paid) == [800]
    assert standing(paid) == (800, ["succeeded"])
    change = paid.changes.latest("version")
    assert (change.before, change.after, change.source) == ("requested", "succeeded", Source.STAFF)
    assert change.who == staff
    [there] = stripe.client().v1.refunds.list({"payment_intent": paid.payment_intent_id}).data
    assert (there.reason, there.metadata["refund"]) == ("duplicate", str(Refund.objects.get().public_id))


def test_the_webhook_that_comes_before_the_answer_or_after_it_changes_nothing(stripe, paid, deliver):
    made = request(paid, 800)
    send(made)
    [there] = stripe.client().v1.refunds.list({"payment_intent": paid.payment_intent_id}).data
    version = standing(paid) and paid.version
    deliver(event("refund.created", there.to_dict()))

    assert standing(paid) == (800, ["succeeded"])
    assert paid.version == version


def test_the_webhook_may_be_faster_than_the_answer(stripe, paid, deliver):
    made = request(paid, 800)
    there = refund(paid, 800, metadata={"refund": str(made.public_id)})
    deliver(event("refund.created", there))

    Refund.objects.record(paid, refunds.read(there), Source.STAFF)
    assert standing(paid) == (800, ["succeeded"])


def test_asking_twice_gives_back_once(stripe, paid):
    made = request(paid, 800)
    send(made)
    send(made)

    assert at_stripe(stripe, paid) == [800]
    assert standing(paid) == (800, ["succeeded"])


def test_an_answer_that_is_lost_leaves_the_wish_and_asking_again_gets_that_very_refund(line, stripe, paid):
    made = request(paid, 800)
    line.next_come("cut", "cut", "cut")
    with pytest.raises(refunds.StripeSilent):
        send(made)
    assert standing(paid) == (0, ["requested"])
    assert at_stripe(stripe, paid) == [800]

    assert send(made)
    assert at_stripe(stripe, paid) == [800]
    assert standing(paid) == (800, ["succeeded"])


@pytest.mark.parametrize("trouble", [429, 500, 503])
def test_a_stripe_in_trouble_is_not_a_stripe_that_refuses(line, paid, trouble):
    made = request(paid, 800)
    line.next_come(*[trouble] * 3)
    with pytest.raises(refunds.StripeSilent):
        send(made)

    assert standing(paid) == (0, ["requested"])


def test_what_stripe_refuses_is_over_and_the_money_can_be_asked_for_again(stripe, paid):
    stripe.client().v1.refunds.create({"payment_intent": paid.payment_intent_id, "amount": 2000})
    staff = factories.user()
    made = request(paid, 800, who_id=staff.pk)  # nobody has told us of the other one yet

    assert not send(made)
    made.refresh_from_db()
    assert (made.status, made.stripe_refund_id) == (RefundStatus.FAILED, None)
    assert "greater than unrefunded amount" in made.failure_reason
    change = paid.changes.latest("version")
    assert (change.before, change.after, change.who) == ("requested", "failed", staff)

    assert send(request(paid, 500))
    assert at_stripe(stripe, paid) == [2000, 500]


def test_a_refusal_that_comes_after_the_refund_itself_changes_nothing(deliver):
    order = factories.paid_order()
    made = request(order, 800)
    deliver(event("refund.created", refund(order, 800, metadata={"refund": str(made.public_id)})))

    assert not Refund.objects.refuse(made, "No.")
    assert standing(order) == (800, ["succeeded"])


@pytest.mark.django_db(transaction=True)
def test_the_answer_and_the_webhook_at_the_same_moment_are_one_refund(at_once):
    order = factories.paid_order()
    made = request(order, 800)
    facts = refunds.read(refund(order, 800, metadata={"refund": str(made.public_id)}))

    def record(source):
        return Refund.objects.record(Order.objects.get(pk=order.pk), facts, source)

    told = [partial(record, Source.STAFF), partial(record, Source.WEBHOOK)] * 3
    assert sorted(at_once(told)) == [False] * 5 + [True]
    assert standing(order) == (800, ["succeeded"])
