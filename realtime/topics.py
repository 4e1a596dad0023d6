"""Topics: who is to hear of what. Up to a "?", where a filter begins, also the channel layer's groups."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from shop.models import Order
from shop.shoppers import Shopper

CATALOG = "catalog"
PAYMENT = "payment"
"""The kind of topic that one order is, as staff see it on its page."""
PAYMENTS = "payments"
"""Everybody's orders, as staff see them in lists and sums."""
WEBHOOKS = "webhooks"
"""Stripe's deliveries."""


def filtered(topic: str, query: str) -> str:
    """What of a topic a page wants to see, as its own address says it: `payments?status=paid`."""
    return f"{topic}?{query}" if query else topic


def filter_of(topic: str) -> str:
    return topic.partition("?")[2]


def group_of(topic: str) -> str:
    """The channel layer's group that hears of it, whatever the filter."""
    return topic.partition("?")[0]


def kind_of(topic: str) -> str:
    """What kind of topic it is: `order` of `order.6f0c…`, `payments` of `payments?status=paid`."""
    return group_of(topic).partition(".")[0]


def key_of(topic: str) -> str:
    """Which one of its kind it is: `6f0c…` of `payment.6f0c…`."""
    return group_of(topic).partition(".")[2]


def order_topic(public_id: UUID) -> str:
    """One order's own page."""
    return f"order.{public_id.hex}"


def shopper_topic(shopper: Shopper) -> str:
    """Lists of one shopper's orders."""
    return f"shopper.{shopper.key}"


def payment_topic(public_id: UUID) -> str:
    """One order as staff see it on its page."""
    return f"{PAYMENT}.{public_id.hex}"


def owner_topic(order: Order) -> str:
    """Lists of the shopper whose order it is."""
    shopper = Shopper(user_id=order.user_id) if order.user_id else Shopper(guest_id=order.guest_id)
    return shopper_topic(shopper)


def orders_in(topics: Iterable[str]) -> Q:
    """The orders that pages with these topics show."""
    public_ids, user_ids, guest_ids = [], [], []
    for topic in topics:
        kind, _, key = topic.partition(".")
        if kind_of(topic) == PAYMENTS:
            return Q()
        if kind in ("order", PAYMENT):
            public_ids.append(UUID(key))
        elif kind == "shopper" and key[0] == "u":
            user_ids.append(int(key[1:]))
        elif kind == "shopper":
            guest_ids.append(UUID(key[1:]))
    return Q(public_id__in=public_ids) | Q(user_id__in=user_ids) | Q(guest_id__in=guest_ids, user=None)
