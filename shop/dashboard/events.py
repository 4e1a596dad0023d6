"""An order at Stripe: its Checkout Session, and what Stripe has told of it; shown by live/_events.html.

Apart from the order, because none of it brings the order a new version.
"""

from typing import Any
from uuid import UUID

from shop.models import Order, Outcome, PaymentStatus, StripeEvent


def events(public_id: str) -> dict[str, Any]:
    """Of the order with this public id (hex): `session_id`, `payable_until` while it can be paid, and
    `events`, oldest first. Two queries.
    """
    known = Order.objects.values_list("pk", "payment_status", "stripe_session_id", "checkout_expires_at")
    pk, status, session_id, until = known.get(public_id=UUID(public_id))
    # What Stripe signed may tell of cardholders: it is not even read.
    told = StripeEvent.objects.filter(order_id=pk).order_by("received_at", "pk")
    rows = told.values("pk", "type", "received_at", "outcome", "attempts", "error")
    return {
        "session_id": session_id,
        "payable_until": until if status == PaymentStatus.PENDING else None,
        "events": [row | {"outcome": Outcome(row["outcome"]).label} for row in rows],
    }
