"""Refunds whose answer never came: the reconciler asks Stripe, and makes none twice."""

from datetime import timedelta

import pytest
from django.db.models import F

from shop.models import (
    Refund,
    RefundStatus,
)
from tests.reconciling import age, bought, paid_at_stripe, run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_retries", "shopper_is_here")]


def requested(order, amount):
    return Refund.objects.request(order, amount, reason="", note="", who_id=None)


def two_minutes_ago():
    Refund.objects.update(created_at=F("created_at") - timedelta(minutes=2))


@pytest.fixture
def paid(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=11)
    run()
    order.refresh_from_db()
    return order


def refunds_at(stripe, order):
    return stripe.client().v1.refunds.list({"payment_intent": order.payment_intent_id}).data


def test_a_refund_that_never_reached_stripe_is_made(stripe, paid):
    refund = requested(paid, 500)
    run()
    assert refunds_at(stripe, paid) == [], "whoever asked for it may still be asking"

    two_minutes_ago()
    assert run().refunds_asked == 1
    refund.refresh_from_db()
    assert (refund.status, refund.amount) == (RefundStatus.SUCCEEDED, 500)
    assert [made.amount for made in refunds_at(stripe, paid)] == [500]


def test_a_refund_that_stripe_made_unheard_and_has_forgotten_the_key_of_is_not_made_twice(stripe, paid):
    refund = requested(paid, 500)
    stripe.client().v1.refunds.create(
        {
            "payment_intent": paid.payment_intent_id,
            "amount": 500,
            "metadata": {"refund": str(refund.public_id)},
        }
    )
    two_minutes_ago()

    run()
    refund.refresh_from_db()
    paid.refresh_from_db()
    assert (refund.status, paid.refunded_amount) == (RefundStatus.SUCCEEDED, 500)
    assert len(refunds_at(stripe, paid)) == 1
