"""An order in staff's eyes."""

from urllib.parse import quote

from django import template
from django.conf import settings
from django.db.models import TextChoices

from shop.dashboard import details
from shop.dashboard.feed import Cursor
from shop.dashboard.forms import REASONS
from shop.models import DisputeStatus, FulfilmentStatus, Order, OrderChange, PaymentStatus, RefundStatus

register = template.Library()
register.filter("being_refunded", details.being_refunded)
register.filter("reason_in_words", lambda reason: REASONS.get(reason, reason))

_PAYMENT = (OrderChange.What.PLACED, OrderChange.What.PAYMENT)

STATUSES: dict[str, type[TextChoices]] = {
    OrderChange.What.PLACED: PaymentStatus,
    OrderChange.What.PAYMENT: PaymentStatus,
    OrderChange.What.FULFILMENT: FulfilmentStatus,
    OrderChange.What.REFUND: RefundStatus,
    OrderChange.What.DISPUTE: DisputeStatus,
}


@register.filter
def actions(order: Order) -> str:
    """Names of what could be done with it just now, for the style sheet: `data-can="refund ship"`."""
    return " ".join(details.actions(order))


@register.filter
def in_words(status: str, change: OrderChange) -> str:
    """{{ change.after|in_words:change }} → "On its way" """
    known = dict(STATUSES[change.what].choices) if change.what in STATUSES else {}
    return str(known.get(status, status))


@register.filter
def cursor(order: Order) -> str:
    """Where the page after this row begins."""
    return str(Cursor.after(order))


@register.filter
def told_by(order: Order) -> str:
    """Where we learned how its payment stands."""
    payments = [change for change in order.timeline if change.what in _PAYMENT]
    return str(payments[-1].get_source_display()) if payments else ""


@register.simple_tag
def stripe_page(kind: str, stripe_id: str) -> str:
    """Where Stripe's dashboard shows an object: `{% stripe_page "payments" order.payment_intent_id %}`"""
    mode = "" if settings.STRIPE_LIVE_MODE else "test/"
    return f"https://dashboard.stripe.com/{mode}{kind}/{quote(stripe_id, safe='')}"
