"""However an order comes by its Checkout Session: one can be paid, and no second one."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from shop import checkout
from shop.models import Order, Outcome, PaymentStatus, StripeEvent
from tests import factories, stripe_events

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stripe", "shopper_is_here")]

SITE = "http://127.0.0.1:8000"


def buy(client, product, quantity):
    return client.post("/checkout/", {f"quantity-{product.slug}": quantity})


def sessions_of(stripe, order):
    """Session id → status, of all that Stripe ever made for the order."""
    sessions = stripe.client().v1.checkout.sessions.list({"limit": 100})
    return {s.id: s.status for s in sessions.data if s.client_reference_id == str(order.public_id)}


def made_again(stripe, order):
    """A second session of the order, as a click makes it whose answer comes late."""
    params = checkout._session_params(order, SITE)
    return stripe.client().v1.checkout.sessions.create(params, {"idempotency_key": f"late-{order.public_id}"})


def test_a_session_that_comes_late_is_ended_and_the_first_one_stands(stripe, shopper):
    buy(shopper, factories.product(), 1)
    order = Order.objects.get()
    first, late = order.stripe_session_id, made_again(stripe, order)

    assert async_to_sync(checkout._attach)(order, late).id == first
    assert sessions_of(stripe, order) == {first: "open", late.id: "expired"}


def test_a_session_that_comes_after_the_end_of_its_order_is_ended(stripe, shopper):
    order = factories.order(factories.shopper_of(shopper))
    late = made_again(stripe, order)
    async_to_sync(checkout.let_go)(order)

    async_to_sync(checkout._attach)(order, late)
    order.refresh_from_db()
    assert (order.payment_status, order.stripe_session_id) == (PaymentStatus.EXPIRED, None)
    assert sessions_of(stripe, order) == {late.id: "expired"}


def test_two_clicks_that_ask_afresh_at_once_ask_under_one_key():
    order = factories.order()
    twin = Order.objects.get(pk=order.pk)

    order.checkout.next_attempt()
    twin.checkout.next_attempt()
    assert (order.checkout_attempt, order.checkout_expires_at) == (2, twin.checkout_expires_at)
    assert twin.checkout_attempt == 2


def test_an_order_whose_session_stripe_does_not_know_gets_another(stripe, shopper):
    bell = factories.product()
    buy(shopper, bell, 1)
    order = Order.objects.get()
    Order.objects.update(stripe_session_id="cs_test_of_another_account")

    assert "/c/pay/" in buy(shopper, bell, 1)["Location"]
    order.refresh_from_db()
    assert sessions_of(stripe, order)[order.stripe_session_id] == "open"


def test_an_order_that_never_got_to_stripe_makes_room_once_its_time_is_over(shopper):
    last = factories.product(stock=1)
    abandoned = factories.order(None, (last, 1))
    assert buy(shopper, last, 1).status_code == 422

    Order.objects.filter(pk=abandoned.pk).update(checkout_expires_at=timezone.now() - timedelta(seconds=1))
    assert buy(shopper, last, 1).status_code == 303
    abandoned.refresh_from_db()
    last.refresh_from_db()
    assert (abandoned.payment_status, last.held) == (PaymentStatus.EXPIRED, 1)


def test_an_order_of_ones_own_is_not_given_up_where_that_would_not_help(shopper):
    rare = factories.product(stock=5)
    factories.order(None, (rare, 2))
    buy(shopper, rare, 3)
    own = Order.objects.latest("pk")

    assert buy(shopper, rare, 4).status_code == 422
    own.refresh_from_db()
    assert own.payment_status == PaymentStatus.PENDING


@pytest.mark.parametrize("said", [None, "no_payment_required", "partly", 1])
def test_only_what_stripe_calls_paid_is_paid(deliver, said):
    order = factories.order()
    event = stripe_events.completed(order, payment_status=said)

    assert deliver(event).status_code == 200
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PENDING
    assert order.needs_attention
    assert StripeEvent.objects.get(pk=event["id"]).outcome == Outcome.HELD


def test_who_comes_back_without_paying_is_told_that_nothing_was_charged(stripe, shopper):
    bell = factories.product()
    buy(shopper, bell, 2)
    session = stripe.client().v1.checkout.sessions.retrieve(Order.objects.get().stripe_session_id)

    back = shopper.get(session.cancel_url.removeprefix("http://testserver").removeprefix(SITE))
    assert "Nothing was charged" in back.text
    assert 'value="2"' in back.text
