"""Fragments: the part of a page that a change makes anew, rendered once for all who see it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from django.template.loader import render_to_string

from realtime.topics import CATALOG, order_topic, owner_topic, payment_topic
from shop.models import Order, Product


@dataclass(frozen=True, slots=True)
class Fragment:
    """The whole state of one thing on a page. Sending it twice is harmless; the version decides the order."""

    topic: str
    key: str
    """The root id in the page, for example `order-6f0c…`."""
    version: int
    changed_at: float
    """When the state came to be: seconds since 1970 by the database's clock."""
    html: str
    """Empty in a hint: there is news, and who shows it has to look."""

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """Undo `message`."""
        return cls(**{name: message[name] for name in cls.__slots__})

    @property
    def state(self) -> tuple[str, int, float]:
        """What it shows, at which version, since when."""
        return self.key, self.version, self.changed_at

    @property
    def message(self) -> dict[str, Any]:
        """As the channel layer carries it."""
        return {"type": "fragment", **asdict(self)}


def order_key(order: Order) -> str:
    return f"order-{order.public_id}"


def stock_key(product: Product) -> str:
    return f"stock-{product.slug}"


@dataclass(frozen=True, slots=True)
class Audience:
    """Pages that show the same of an order, in the same words."""

    topic: str
    key: str
    partial: str
    into_list: str = ""
    hurried: bool = True
    """Whether the payment itself renders it; otherwise it only hints, and who shows it looks for itself."""


def audiences(order: Order) -> tuple[Audience, ...]:
    """The order's own page, its shopper's lists, and staff's page of it."""
    public_id, key = order.public_id, order_key(order)
    return (
        Audience(order_topic(public_id), key, "live/_order.html"),
        Audience(owner_topic(order), key, "live/_order_row.html", into_list="#orders"),
        Audience(payment_topic(public_id), f"payment-{public_id}", "live/_payment.html", hurried=False),
    )


def order_fragments(order: Order) -> Iterator[Fragment]:
    """What shoppers see of the order: on its own page, and in their lists.

    Rendered one by one, so that who waits for the first need not wait for the second.
    """
    return (order_fragment(order, audience) for audience in audiences(order) if audience.hurried)


def order_hints(order: Order) -> Iterator[Fragment]:
    """For staff: a payment does not wait for what only they see."""
    changed_at = order.updated_at.timestamp()
    for audience in audiences(order):
        if not audience.hurried:
            yield Fragment(audience.topic, audience.key, order.version, changed_at, html="")


def order_fragment(order: Order, audience: Audience) -> Fragment:
    """The order as this audience sees it."""
    context = {"order": order, "into_list": audience.into_list}
    return _fragment(order, audience.topic, audience.key, audience.partial, context)


def stock_fragment(product: Product) -> Fragment:
    """Price and stock on a product's card."""
    return _fragment(product, CATALOG, stock_key(product), "live/_stock.html", {"product": product})


def _fragment(row: Order | Product, topic: str, key: str, partial: str, context: dict[str, Any]) -> Fragment:
    html = render_to_string("live/_push.html", {**context, "key": key, "partial": partial})
    return Fragment(topic, key, row.version, row.updated_at.timestamp(), html)
