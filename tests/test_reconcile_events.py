"""Events that never came, or came to nothing: the reconciler applies them by the same verbs, and once."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from shop import reconcile
from shop.models import (
    Order,
    Outcome,
    PaymentStatus,
    StripeEvent,
)
from shop.models.events import MOST_EVENT_RETRIES
from shop.patience import Patience
from tests import factories, stripe_events
from tests.reconciling import bought, paid_at_stripe, run, state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_retries", "shopper_is_here")]


# --- that Stripe could not deliver --------------------------------------------------------------------


def test_with_webhooks_off_every_paid_session_is_a_paid_order_after_one_run(unheard, shopper, bell):
    orders = [paid_at_stripe(unheard, bought(shopper, factories.product())) for _ in range(3)]

    summary = run()
    assert [state(order)[0] for order in orders] == [PaymentStatus.PAID] * 3
    assert (summary.events_applied, summary.orders_asked) == (3, 0)


def test_a_delivery_that_comes_after_all_is_a_repeated_one(unheard, shopper, bell, deliver):
    order = paid_at_stripe(unheard, bought(shopper, bell))
    run()
    [event] = unheard.client().v1.events.list({"type": "checkout.session.completed"}).data

    assert deliver(event.to_dict()).status_code == 200
    assert state(order) == (PaymentStatus.PAID, 2)
    stored = StripeEvent.objects.get(pk=event.id)
    assert (stored.outcome, stored.attempts) == (Outcome.APPLIED, 1)


def test_what_was_delivered_before_is_not_fetched_again(unheard, shopper, bell):
    order = paid_at_stripe(unheard, bought(shopper, bell))
    run()
    before = StripeEvent.objects.values_list("pk", "attempts", "outcome")
    kept = set(before)

    assert run().events_applied == 0
    assert state(order) == (PaymentStatus.PAID, 2)
    assert set(before.all()) == kept


def test_more_events_than_fit_on_a_page_are_all_fetched(unheard, shopper, bell, monkeypatch):
    orders = [paid_at_stripe(unheard, bought(shopper, factories.product())) for _ in range(4)]
    monkeypatch.setattr(reconcile, "PER_PAGE", 2)

    run()
    assert {state(order)[0] for order in orders} == {PaymentStatus.PAID}


def test_an_event_that_cannot_be_applied_keeps_no_other_from_it(unheard, shopper, bell, monkeypatch):
    broken, sound = (paid_at_stripe(unheard, bought(shopper, factories.product())) for _ in range(2))
    twin = factories.order(None, (bell, 1))  # has the payment that the first one should get
    intent = unheard.client().v1.checkout.sessions.retrieve(broken.stripe_session_id).payment_intent
    Order.objects.filter(pk=twin.pk).update(payment_intent_id=intent)

    summary = run()
    assert summary.failed == 1
    assert state(sound)[0] == PaymentStatus.PAID
    assert StripeEvent.objects.filter(outcome=Outcome.FAILED).count() == 1


def test_an_undelivered_event_that_finds_no_order_waits_for_its_next_try_like_any_other(unheard, shopper):
    order = paid_at_stripe(unheard, bought(shopper, factories.product()))
    Order.objects.filter(pk=order.pk).update(public_id="6f9619ff-8b86-4011-b42d-00c04fc964ff")
    for _ in range(3):
        run()

    stored = StripeEvent.objects.get(type="checkout.session.completed")
    assert (stored.outcome, stored.tries) == (Outcome.UNMATCHED, 1)


class Clock(Patience):
    """One that a test sets."""

    moment = 1000.0

    def now(self):
        return self.moment


def test_events_without_end_leave_half_of_the_time_to_what_comes_after(unheard, shopper, bell, monkeypatch):
    orders = [paid_at_stripe(unheard, bought(shopper, factories.product())) for _ in range(3)]
    monkeypatch.setattr(reconcile, "PER_PAGE", 1)
    patience = Clock(until=1100)

    def forty_seconds_a_page(summary):
        patience.moment = 1000 + 40 * summary.events_fetched

    assert run(patience=patience, progress=forty_seconds_a_page).events_fetched == 2
    assert sum(state(order)[0] == PaymentStatus.PAID for order in orders) == 2


# --- that are in the inbox -----------------------------------------------------------------------------


def waited(minutes):
    StripeEvent.objects.update(retry_at=F("retry_at") - timedelta(minutes=minutes))


def test_a_stored_event_is_tried_again_with_growing_gaps_and_given_up_loudly(stripe, deliver, caplog):
    order = factories.order()
    event = stripe_events.completed(order, client_reference_id="6f9619ff-8b86-4011-b42d-00c04fc964ff")
    deliver(event)
    gaps = []
    for _ in range(MOST_EVENT_RETRIES):
        retry_at = StripeEvent.objects.get().retry_at
        assert retry_at is not None
        gaps.append(round((retry_at - timezone.now()).total_seconds() / 60))
        assert run().events_retried == 0, "its time has not come"
        waited(minutes=gaps[-1] + 1)
        assert run().events_retried == 1

    assert gaps == [2**tries for tries in range(MOST_EVENT_RETRIES)]
    assert StripeEvent.objects.get().retry_at is None
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1
    assert event["id"] in caplog.text


def test_an_event_that_came_before_its_order_is_applied_when_the_order_is_there(stripe, deliver):
    order = factories.order()
    event = stripe_events.completed(order)
    public_id = order.public_id
    Order.objects.update(public_id="6f9619ff-8b86-4011-b42d-00c04fc964ff")
    deliver(event)
    Order.objects.update(public_id=public_id)
    waited(minutes=2)

    run()
    assert state(order) == (PaymentStatus.PAID, 2)
    assert StripeEvent.objects.get().outcome == Outcome.APPLIED
    assert StripeEvent.objects.get().attempts == 1, "Stripe delivered it once"


def test_an_event_that_stripe_itself_sends_in_vain_is_given_up_as_loudly(deliver, caplog):
    event = stripe_events.completed(factories.order(), client_reference_id=None)
    for _ in range(MOST_EVENT_RETRIES + 1):
        assert deliver(event).status_code == 200
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1
