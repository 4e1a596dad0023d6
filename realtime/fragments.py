"""Fragments: the part of a page that a change makes anew, rendered once for all who see it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from django.template.loader import render_to_string

from realtime.topics import CATALOG, order_topics
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

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """Undo `message`."""
        return cls(**{name: message[name] for name in cls.__slots__})

    @property
    def message(self) -> dict[str, Any]:
        """As the channel layer carries it."""
        return {"type": "fragment", **asdict(self)}


def order_key(order: Order) -> str:
    return f"order-{order.public_id}"


def stock_key(product: Product) -> str:
    return f"stock-{product.slug}"


def order_fragments(order: Order) -> Iterator[Fragment]:
    """The order as its own page shows it, and as its shopper's lists do.

    Rendered one by one, so that who waits for the first need not wait for the second.
    """
    page, lists = order_topics(order)
    key, context = order_key(order), {"order": order}
    yield _fragment(order, page, key, "live/_order.html", context)
    yield _fragment(order, lists, key, "live/_order_row.html", context | {"into_list": "#orders"})


def stock_fragment(product: Product) -> Fragment:
    """Price and stock on a product's card."""
    return _fragment(product, CATALOG, stock_key(product), "live/_stock.html", {"product": product})


def _fragment(row: Order | Product, topic: str, key: str, partial: str, context: dict[str, Any]) -> Fragment:
    html = render_to_string("live/_push.html", {**context, "key": key, "partial": partial})
    return Fragment(topic, key, row.version, row.updated_at.timestamp(), html)
