"""Fragments: the part of a page that a change makes anew, rendered once for all who see it."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from django.template.loader import render_to_string

from realtime.topics import CATALOG, PAYMENTS, order_topic, owner_topic, payment_topic
from shop.models import Order, Product

OVERLAP = 15
"""Seconds by which we read behind the oldest transaction that had written (see Moment), for changes that were
stamped by a statement that had not: more than the longest (DATABASE_SESSION_OPTIONS in .env.example)."""


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


def row_key(order: Order) -> str:
    return f"row-{order.public_id}"


def stock_key(product: Product) -> str:
    return f"stock-{product.slug}"


@dataclass(frozen=True, slots=True)
class Audience:
    """Pages that show the same of an order, in the same words."""

    topic: str
    key: str
    partial: str
    into_list: str = ""
    hurried: bool = False
    """Whether the payment itself renders it; otherwise it only hints, and who shows it looks for itself."""
    detailed: bool = False
    """Whether it shows what only staff may see, which has to be read first."""


def audiences(order: Order) -> tuple[Audience, ...]:
    """The order's own page, its shopper's lists, staff's page of it, and staff's lists of all."""
    public_id, key = order.public_id, order_key(order)
    return (
        Audience(order_topic(public_id), key, "live/_order.html", hurried=True),
        Audience(owner_topic(order), key, "live/_order_row.html", into_list="#orders"),
        Audience(payment_topic(public_id), f"payment-{public_id}", "live/_payment.html", detailed=True),
        Audience(PAYMENTS, row_key(order), "live/_payment_row.html", into_list="#payments"),
    )


def order_fragments(order: Order) -> Iterator[Fragment]:
    """What hurries to the pages that show the order: the new state for its own page, hints for the others."""
    for audience in audiences(order):
        yield order_fragment(order, audience) if audience.hurried else _hint(order, audience)


def order_fragment(order: Order, audience: Audience) -> Fragment:
    """The order as this audience sees it."""
    context = {"order": order, "into_list": audience.into_list}
    return _fragment(order, audience.topic, audience.key, audience.partial, context)


def _hint(order: Order, audience: Audience) -> Fragment:
    return Fragment(audience.topic, audience.key, order.version, order.updated_at.timestamp(), html="")


def stock_fragment(product: Product) -> Fragment:
    """Price and stock on a product's card."""
    return _fragment(product, CATALOG, stock_key(product), "live/_stock.html", {"product": product})


def version_at(as_of: float) -> int:
    """Of what was read at that time, in seconds since 1970, and has no row that could give it a version."""
    return int(as_of * 1_000_000)


def timed_fragment(
    topic: str, key: str, partial: str, context: dict[str, Any], as_of: float, *, after: int = 0
) -> Fragment:
    """What was made of many rows, read after `as_of`: that is its version, or one more than `after`, if the
    database's clock was set back.
    """
    version = max(version_at(as_of), after + 1)
    context = {**context, "version": version, "key": key, "partial": partial}
    html = render_to_string("live/_push.html", context)
    # News for every page that was not yet sent one: nothing tells which state the page was rendered with.
    return Fragment(topic, key, version, math.inf, html)


def _fragment(row: Order | Product, topic: str, key: str, partial: str, context: dict[str, Any]) -> Fragment:
    html = render_to_string("live/_push.html", {**context, "key": key, "partial": partial})
    return Fragment(topic, key, row.version, row.updated_at.timestamp(), html)
