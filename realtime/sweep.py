"""The second way to the same page: read from the database what changed, and who may still look.

A patrol every 5 s mends what no hurry-up brought. A page that opens, or comes back, is greeted with the
same sweep at once, so nothing falls between its rendering and its socket. A hint of news asks for one, too.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from channels.db import database_sync_to_async

from realtime.fragments import Audience, Fragment, audiences, order_fragment, stock_fragment, stock_key
from realtime.pages import OVERLAP, Page
from realtime.topics import CATALOG, orders_in
from shop.models import Order, Product
from shop.models.clock import database_now
from shop.models.order_queries import with_details
from shop.visits import End, Visit, ended

if TYPE_CHECKING:
    from realtime.hub import Hub

INTERVAL = 4.5
"""Seconds between patrols: with the time that one takes, every 5 s."""
GATHERING = 0.05
"""Seconds to gather pages in: two thousand that return at once share a handful of queries."""
HEARTBEAT = 3
"""Patrols from one word to every page to the next."""
CLOSE_CODES = {End.SESSION_OVER: 4401, End.RIGHT_LOST: 4403}

PagesByTopic = dict[str, list[Page]]


class Sweep:
    """One per hub."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        # The patrol reads on from here: by the database's clock, in seconds since 1970.
        self._seen_until: float | None = None
        self._patrols = 0

    async def greet(self) -> None:
        """Bring those who wait up to date, and let newcomers in."""
        await self._hub.somebody_waits.wait()
        self._hub.somebody_waits.clear()
        await asyncio.sleep(GATHERING)
        waiting, self._hub.waiting = self._hub.waiting, set()
        await self._hub.settled()
        try:
            await self._over(waiting, since=min((page.floor for page in waiting), default=0), say=True)
        except Exception:
            self._hub.waiting |= waiting & self._hub.pages
            self._hub.somebody_waits.set()
            raise

    async def patrol(self) -> None:
        """Look at all pages that were let in."""
        await asyncio.sleep(INTERVAL)
        pages = {page for page in self._hub.pages if page.caught_up}
        since = self._seen_until or min((page.floor for page in pages), default=0)
        self._patrols += 1
        as_of = await self._over(pages, since, say=self._patrols % HEARTBEAT == 0)
        self._seen_until = as_of - OVERLAP if as_of else self._seen_until

    async def _over(self, pages: Collection[Page], since: float, *, say: bool) -> float | None:
        """Sweep over some pages; returns the database's time before it looked, None if there was nobody."""
        if not pages:
            return None
        by_topic = _by_topic(pages)
        news: News = await database_sync_to_async(look)(by_topic, {page.visit for page in pages}, since)
        for fragment in news.fragments:
            for page in by_topic[fragment.topic]:
                page.offer(fragment)
        word = json.dumps({"as_of": news.as_of}) if say else ""
        for page in self._hub.pages.intersection(pages):
            if end := news.ended.get(page.visit):
                page.end(CLOSE_CODES[end])
            else:
                page.confirm(word)
        return news.as_of


@dataclass(frozen=True, slots=True)
class News:
    """`as_of`: the database's time before it was asked, in seconds since 1970."""

    as_of: float
    fragments: list[Fragment]
    ended: dict[Visit, End]


def look(pages: PagesByTopic, visits: set[Visit], since: float) -> News:
    """Ask the database. What no page wants is not rendered, so a quiet patrol renders nothing."""
    as_of = database_now().timestamp()
    changed_after = datetime.fromtimestamp(max(since, 0), UTC)
    fragments = [*_changed_orders(pages, changed_after), *_changed_products(pages, changed_after)]
    return News(as_of, fragments, ended(visits))


def _changed_orders(pages: PagesByTopic, after: datetime) -> Iterator[Fragment]:
    changed = Order.objects.filter(orders_in(pages), updated_at__gte=after)
    few = changed.only("public_id", "user_id", "guest_id", "version", "updated_at")
    orders = Order.objects.in_full([order.pk for order in few if _wanting(pages, order)])
    with_details([order for order in orders if any(them.detailed for them in _wanting(pages, order))])
    for order in orders:
        for audience in _wanting(pages, order):
            yield order_fragment(order, audience)


def _wanting(pages: PagesByTopic, order: Order) -> list[Audience]:
    return [them for them in audiences(order) if _wanted(pages, them.topic, them.key, order)]


def _changed_products(pages: PagesByTopic, after: datetime) -> Iterator[Fragment]:
    for product in Product.objects.filter(updated_at__gte=after) if CATALOG in pages else ():
        if _wanted(pages, CATALOG, stock_key(product), product):
            yield stock_fragment(product)


def _wanted(pages: PagesByTopic, topic: str, key: str, row: Order | Product) -> bool:
    changed_at = row.updated_at.timestamp()
    return any(page.wants(key, row.version, changed_at) for page in pages.get(topic, ()))


def _by_topic(pages: Collection[Page]) -> PagesByTopic:
    by_topic: defaultdict[str, list[Page]] = defaultdict(list)
    for page in pages:
        for topic in page.topics:
            by_topic[topic].append(page)
    return dict(by_topic)
