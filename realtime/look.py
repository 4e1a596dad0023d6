"""What the database has to tell open pages: one look, for those who wait, were hinted at or are patrolled."""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Q

from realtime import gauges
from realtime.feeds import Feeds, depends_on_the_day, feeds_in, list_fragments
from realtime.fragments import (
    Audience,
    Fragment,
    audiences,
    order_fragment,
    stock_fragment,
    stock_key,
)
from realtime.pages import Page
from realtime.panels import Panels
from realtime.topics import CATALOG, PAYMENTS, WEBHOOKS, orders_in
from shop.models import Order, Product
from shop.models.clock import database_moment
from shop.models.order_queries import with_details
from shop.visits import End, Visit, ended

log = logging.getLogger(__name__)

MOST_NEWS = 500
"""Orders that staff's lists are told of one by one; where more have changed, lists are sent whole."""

PagesByTopic = dict[str, list[Page]]


@dataclass(frozen=True, slots=True)
class News:
    """`as_of`: the database's time before it was asked, in seconds since 1970; `settled`: see Moment."""

    as_of: float
    settled: float
    fragments: list[Fragment]
    owed: set[str]
    """Topics of lists that could not be read, and are owed to the pages that show them."""
    owed_orders: set[UUID]
    """Public ids of those that could not be rendered, and are owed likewise."""
    unread: set[str]
    """Topics of which not all was read: their pages are not told that they are up to date."""
    ended: dict[Visit, End]


@dataclass(frozen=True, slots=True)
class Which:
    """What to look at: orders with one of these public ids, and what changed since then, if it says when."""

    public_ids: frozenset[UUID] = frozenset()
    since: datetime | None = None
    new_day: bool = False
    """Whether midnight has gone by: what "today" lets through is something else now."""
    owed: frozenset[str] = frozenset()
    """Topics of lists that an earlier sweep could not read: they are to be sent whole."""
    owed_orders: frozenset[UUID] = frozenset()
    """Those that an earlier sweep could not render: they are news, however long ago they changed."""

    @property
    def orders(self) -> Q:
        if not self.since:
            return Q(public_id__in=self.public_ids)
        changed = Q(updated_at__gte=self.since)
        return changed | Q(public_id__in=self.owed_orders) if self.owed_orders else changed


def changed_since(
    time: float, *, new_day: bool = False, owed: Iterable[str] = (), owed_orders: Iterable[UUID] = ()
) -> Which:
    """Whatever changed since; in seconds since 1970."""
    since = datetime.fromtimestamp(max(time, 0), UTC)
    return Which(since=since, new_day=new_day, owed=frozenset(owed), owed_orders=frozenset(owed_orders))


def hinted_at(hints: Iterable[Fragment]) -> Which:
    """The orders that hints are about."""
    return Which(frozenset(UUID(hint.key.partition("-")[2]) for hint in hints if hint.topic != WEBHOOKS))


def look(pages: PagesByTopic, visits: set[Visit], which: Which, panels: Panels) -> News:
    """Ask the database. What no page wants is not rendered, so a quiet patrol renders nothing."""
    asked = time.time()
    moment = database_moment()
    as_of = moment.now.timestamp()
    gauges.pushes.compare_clocks(asked, as_of, time.time())
    lists = _to_send_whole(pages, which)
    by_row = {topic: them for topic, them in pages.items() if topic not in lists}
    whole, owed = list_fragments(lists)
    gauges.unread_lists.inc(len(owed))
    orders, unshown = _order_fragments(by_row, which)
    gauges.unshown_orders.inc(len(unshown))
    current, unread = panels.fragments(pages)
    fragments = [*orders, *whole, *_changed_products(pages, which), *current]
    unread = unread.union(owed, *unshown.values())
    return News(as_of, moment.settled.timestamp(), fragments, owed, set(unshown), unread, ended(visits))


def _to_send_whole(pages: PagesByTopic, which: Which) -> list[str]:
    """Topics of lists that need not be told of row by row."""
    lists = feeds_in(pages)
    if lists and which.since and Order.objects.filter(which.orders)[MOST_NEWS:].exists():
        return lists
    return [topic for topic in lists if topic in which.owed or (which.new_day and depends_on_the_day(topic))]


def _wanted_orders(pages: PagesByTopic, which: Which) -> list[int]:
    """Primary keys of those that some page wants."""
    changed = Order.objects.filter(which.orders, orders_in(pages))
    few = changed.only("public_id", "user_id", "guest_id", "version", "updated_at")
    return [order.pk for order in few if any(True for _ in _wanting(pages, order, which))]


def _order_fragments(pages: PagesByTopic, which: Which) -> tuple[list[Fragment], dict[UUID, set[str]]]:
    """And the orders that could not be rendered, by public id, with the topics that lack them: one keeps
    nobody from the others.
    """
    pks = _wanted_orders(pages, which)
    orders = Order.objects.in_full(pks)
    wanting = {order.pk: list(_wanting(pages, order, which)) for order in orders}
    with_details([order for order in orders if any(them.detailed for them in wanting[order.pk])])
    feeds = Feeds(feeds_in(pages), pks)
    fragments: list[Fragment] = []
    unshown: defaultdict[UUID, set[str]] = defaultdict(set)
    for order in orders:
        for audience in wanting[order.pk]:
            try:
                fragment = feeds.fragment(order, audience) or order_fragment(order, audience)
            except Exception as error:  # noqa: BLE001  the next patrol tries again
                log.error("Order %s cannot be rendered: %s", order.public_id, type(error).__name__)
                unshown[order.public_id].add(audience.topic)
            else:
                fragments.append(replace(fragment, changed_at=_changed_at(order, which)))
    return fragments, unshown


def _changed_at(order: Order, which: Which) -> float:
    """What is owed is of no time: news for every page that was not sent it, however long ago it changed."""
    return math.inf if order.public_id in which.owed_orders else order.updated_at.timestamp()


def _wanting(pages: PagesByTopic, order: Order, which: Which) -> Iterator[Audience]:
    """Audiences that lack this state, staff's lists once for each filter."""
    changed_at = _changed_at(order, which)
    for audience in audiences(order):
        for topic in feeds_in(pages) if audience.topic == PAYMENTS else [audience.topic]:
            if _wanted(pages, topic, audience.key, order.version, changed_at):
                yield replace(audience, topic=topic)


def _changed_products(pages: PagesByTopic, which: Which) -> Iterator[Fragment]:
    if CATALOG in pages and which.since:
        for product in Product.objects.filter(updated_at__gte=which.since):
            changed_at = product.updated_at.timestamp()
            if _wanted(pages, CATALOG, stock_key(product), product.version, changed_at):
                yield stock_fragment(product)


def _wanted(pages: PagesByTopic, topic: str, key: str, version: int, changed_at: float) -> bool:
    return any(page.wants(key, version, changed_at) for page in pages.get(topic, ()))
