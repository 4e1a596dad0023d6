"""The second way to the same page: read from the database what changed, and who may still look.

A patrol every 5 s mends what no hurry-up brought. A page that opens, or comes back, is greeted with the
same sweep at once, so nothing falls between its rendering and its socket. Hints are looked into likewise.
"""

import asyncio
import json
import logging
import math
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from channels.db import database_sync_to_async
from django.db.models import Q
from django.utils import timezone

from realtime import gauges
from realtime.feeds import Feeds, depends_on_the_day, feeds_in, list_fragments
from realtime.fragments import (
    OVERLAP,
    Audience,
    Fragment,
    audiences,
    order_fragment,
    stock_fragment,
    stock_key,
)
from realtime.pages import Page
from realtime.panels import PACE, Panels
from realtime.topics import CATALOG, PAYMENTS, WEBHOOKS, orders_in
from shop.models import Order, Product
from shop.models.clock import database_moment
from shop.models.order_queries import with_details
from shop.visits import End, Visit, ended

if TYPE_CHECKING:
    from realtime.hub import Hub

log = logging.getLogger(__name__)

INTERVAL = 4.5
"""Seconds between patrols: with the time that one takes, every 5 s."""
GATHERING = 0.05
"""Seconds to gather pages or hints in: two thousand that come at once share a handful of queries."""
HEARTBEAT = 3
"""Patrols from one word to every page to the next."""
MOST_NEWS = 500
"""Orders that staff's lists are told of one by one; where more have changed, lists are sent whole."""
CLOSE_CODES = {End.SESSION_OVER: 4401, End.RIGHT_LOST: 4403}

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


class Sweep:
    """One per hub."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._panels = Panels()
        # The patrol reads on from here: by the database's clock, in seconds since 1970.
        self._seen_until: float | None = None
        self._owed: set[str] = set()  # lists that could not be read: the next patrol sends them whole
        self._owed_orders: set[UUID] = set()  # those that could not be rendered: the next patrol tries again
        self._patrols = 0
        self._late_at = 0.0  # when panels that were left for later are read, by the loop's clock
        self._day = timezone.localdate()

    async def greet(self) -> None:
        """Bring those who wait up to date, and let them in."""
        await self._hub.somebody_waits.wait()
        self._hub.somebody_waits.clear()
        await asyncio.sleep(GATHERING)
        waiting, self._hub.waiting = self._hub.waiting, set()
        await self._hub.settled()
        try:
            since = min((page.floor for page in waiting), default=0)
            oldest = min((page.rendered_at for page in waiting), default=0)
            was = timezone.localdate(datetime.fromtimestamp(max(oldest, 0), UTC))
            which = changed_since(since, new_day=was != self._day)
            await self._over(waiting, which, "greet", say=True)
        except Exception:
            self._hub.waiting |= waiting & self._hub.pages
            self._hub.somebody_waits.set()
            raise

    async def inform(self) -> None:
        """Look into what was hinted at, for the pages that show it."""
        await self._hub.hinted.wait()
        self._hub.hinted.clear()
        await asyncio.sleep(GATHERING)
        hints, self._hub.hints = self._hub.hints, {}
        late, self._panels.late = self._panels.late, set()
        pages = self._hub.showing({hint.topic for hint in hints.values()} | late)
        try:
            await self._over(pages, hinted_at(hints.values()), "inform")
        except Exception:
            self._hub.hints = hints | self._hub.hints
            self._panels.late |= late
            self._hub.hinted.set()
            raise

    async def patrol(self) -> None:
        """Look at all pages that were let in."""
        await asyncio.sleep(INTERVAL)
        pages = {page for page in self._hub.pages if page.caught_up}
        since = max(self._seen_until or 0, min((page.floor for page in pages), default=0))
        self._patrols += 1
        day = timezone.localdate()
        owed, self._owed = self._owed, set()
        owed_orders, self._owed_orders = self._owed_orders, set()
        which = changed_since(since, new_day=day != self._day, owed=owed, owed_orders=owed_orders)
        try:
            settled = await self._over(pages, which, "patrol", say=self._patrols % HEARTBEAT == 0)
        except Exception:
            self._owed |= owed
            self._owed_orders |= owed_orders
            raise
        self._day = day
        gauges.pushes.patrolled_at = time.monotonic()
        if settled:
            self._seen_until = settled - OVERLAP
            for page in pages:
                page.forget_before(self._seen_until)

    async def _over(
        self, pages: Collection[Page], which: Which, kind: str, *, say: bool = False
    ) -> float | None:
        """Sweep over some pages; returns `News.settled`, None if there was nobody."""
        if not pages:
            return None
        by_topic = _by_topic(pages)
        visits = {page.visit for page in pages}
        with gauges.sweeps.labels(kind).time():
            news: News = await database_sync_to_async(look)(by_topic, visits, which, self._panels)
        for fragment in news.fragments:
            self._offer(fragment, by_topic[fragment.topic], kind, news.as_of)
        self._owed |= news.owed
        self._owed_orders |= news.owed_orders
        word = json.dumps({"as_of": news.as_of}) if say else ""
        for page in self._hub.pages.intersection(pages):
            if end := news.ended.get(page.visit):
                page.end(CLOSE_CODES[end])
            elif say or page.caught_up:  # newcomers are let in when they are greeted
                page.confirm("" if page.topics & news.unread else word)
        if self._panels.late and self._hub.loop.time() >= self._late_at:
            self._late_at = self._hub.loop.time() + PACE
            self._hub.loop.call_at(self._late_at, self._hub.hinted.set)
        return news.settled

    def _offer(self, fragment: Fragment, pages: Collection[Page], kind: str, as_of: float) -> None:
        taken = sum([page.offer(fragment) for page in pages])
        gauges.pushes.offered(len(pages), taken)
        if taken and kind != "greet":  # what changed before a page came was late for nobody
            self._hub.say_when_sent(fragment, "patrol" if kind == "patrol" else "hinted")
        if kind == "patrol" and fragment.changed_at < as_of - gauges.HURRY:
            gauges.pushes.mended += taken


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


def _by_topic(pages: Collection[Page]) -> PagesByTopic:
    by_topic: defaultdict[str, list[Page]] = defaultdict(list)
    for page in pages:
        for topic in page.topics:
            by_topic[topic].append(page)
    return dict(by_topic)
