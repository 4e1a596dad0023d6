"""Topics: who is to hear of what. Also the names of the channel layer's groups."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from shop.models import Order
from shop.shoppers import Shopper

CATALOG = "catalog"


def order_topic(public_id: UUID) -> str:
    """One order's own page."""
    return f"order.{public_id.hex}"


def shopper_topic(shopper: Shopper) -> str:
    """Lists of one shopper's orders."""
    return f"shopper.{shopper.key}"


def payment_topic(public_id: UUID) -> str:
    """One order as staff see it."""
    return f"payment.{public_id.hex}"


def owner_topic(order: Order) -> str:
    """Lists of the shopper whose order it is."""
    shopper = Shopper(user_id=order.user_id) if order.user_id else Shopper(guest_id=order.guest_id)
    return shopper_topic(shopper)


def orders_in(topics: Iterable[str]) -> Q:
    """The orders that pages with these topics show."""
    public_ids, user_ids, guest_ids = [], [], []
    for topic in topics:
        kind, _, key = topic.partition(".")
        if kind in ("order", "payment"):
            public_ids.append(UUID(key))
        elif kind == "shopper" and key[0] == "u":
            user_ids.append(int(key[1:]))
        elif kind == "shopper":
            guest_ids.append(UUID(key[1:]))
    return Q(public_id__in=public_ids) | Q(user_id__in=user_ids) | Q(guest_id__in=guest_ids, user=None)
