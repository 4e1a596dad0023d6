"""An order in its shopper's eyes."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from django import template
from django.urls import reverse

from shop.forms import cart_query
from shop.models import FulfilmentStatus, Order, OrderChange, PaymentStatus, RefundStatus
from shop.models.moves import UNDO

register = template.Library()

WAY = (
    FulfilmentStatus.UNFULFILLED,
    FulfilmentStatus.PREPARING,
    FulfilmentStatus.SHIPPED,
    FulfilmentStatus.DELIVERED,
)

_INTERNAL = (
    OrderChange.What.DISPUTE,
    OrderChange.What.RESTOCK,
    OrderChange.What.EMAIL,
    OrderChange.What.CANCELLING,
)


@register.filter
def for_shopper(timeline: Iterable[OrderChange]) -> Iterator[OrderChange]:
    """Without what staff and banks have among themselves."""
    return (change for change in timeline if not _is_internal(change))


@register.filter
def is_undone(change: OrderChange) -> bool:
    """Whether it takes back a step of the fulfilment."""
    return change.what == OrderChange.What.FULFILMENT and UNDO.get(change.before) == change.after


@register.filter
def steps(order: Order) -> list[tuple[str, str]]:
    """How far a paid order is: label and "done", "now" or "ahead"; none if it will not be sent."""
    if order.fulfilment_status not in WAY:
        return []
    now = WAY.index(FulfilmentStatus(order.fulfilment_status))
    labels = [PaymentStatus.PAID.label, *(step.label for step in WAY[1:])]
    return [
        (str(label), "done" if at < now else "now" if at == now else "ahead")
        for at, label in enumerate(labels)
    ]


@register.filter
def web_link(address: str) -> str:
    """The address if it leads to the web; nothing if it would run, open or send something else."""
    try:
        return address if urlsplit(address).scheme in ("http", "https") else ""
    except ValueError:
        return ""


@register.simple_tag
def cart_again(order: Order) -> str:
    """Where the cart is filled with the order's goods."""
    return f"{reverse('shop')}?{cart_query(order)}"


def _is_internal(change: OrderChange) -> bool:
    if change.what == OrderChange.What.REFUND:  # until Stripe does it, it is only a wish
        wished = RefundStatus.REQUESTED
        return change.after == wished or (change.before, change.after) == (wished, RefundStatus.FAILED)
    return change.what in _INTERNAL
