"""Stripe's webhook pays an order."""

import pytest

from shop.models import Outcome, PaymentStatus, StripeEvent
from tests import factories, stripe_events

pytestmark = pytest.mark.django_db


def test_a_completed_session_pays_its_order_and_takes_the_stock(deliver, django_capture_on_commit_callbacks):
    bell = factories.product(stock=5)
    order = factories.order(None, (bell, 2))
    event = stripe_events.completed(order)

    with django_capture_on_commit_callbacks(execute=True):
        assert deliver(event).status_code == 200

    order.refresh_from_db()
    bell.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID
    assert (bell.stock, bell.held) == (3, 0)
    assert StripeEvent.objects.get(pk=event["id"]).outcome == Outcome.APPLIED
