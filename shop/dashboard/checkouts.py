"""Checkouts that are under way: how long they can still be paid, and what stock they keep from others.

A checkout is open as long as its order is pending, as everywhere: also before it has a session, and when its
time is over and Stripe has not said so. It holds its goods until then.
"""

from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum

from shop.models import Order, OrderLine, PaymentStatus

MOST = 20
"""Shown one by one, those that end first."""


def pending() -> QuerySet[Order]:
    """All that are open."""
    return Order.objects.filter(payment_status=PaymentStatus.PENDING)


def open_checkouts() -> dict[str, Any]:
    """`checkouts`: orders with lines, those that end first; and sums over all. Four queries."""
    own = Q(currency=settings.CURRENCY)
    sums = pending().aggregate(
        count=Count("pk"),
        at_stripe=Count("stripe_session_id"),
        amount=Sum("amount_total", filter=own, default=0),
    )
    held = OrderLine.objects.filter(order__payment_status=PaymentStatus.PENDING)
    sums |= held.aggregate(units_held=Sum("quantity", default=0))
    soonest = pending().prefetch_related("lines").order_by("checkout_expires_at", "pk")[:MOST]
    checkouts = [
        {
            "public_id": order.public_id,
            "number": order.number,
            "goods": [(line.quantity, line.name) for line in order.goods],
            "units": sum(line.quantity for line in order.goods),
            "amount": order.amount_total,
            "currency": order.currency,
            "expires_at": order.checkout_expires_at,
            "at_stripe": order.stripe_session_id is not None,
            "cancelling": bool(order.cancelling),
        }
        for order in soonest
    ]
    more = sums["count"] - len(checkouts)
    return {"checkouts": checkouts, **sums, "more": max(more, 0), "currency": settings.CURRENCY}
