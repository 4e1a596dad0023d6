"""The second way to the same page: read from the database what changed, and who may still look.

A patrol every 5 s mends what no hurry-up brought. A page that opens, or comes back, is greeted with the
same sweep at once, so nothing falls between its rendering and its socket. Hints are looked into likewise.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from channels.db import database_sync_to_async
from django.utils import timezone

from realtime import gauges
from realtime.codes import RIGHT_LOST, SESSION_OVER
from realtime.fragments import OVERLAP, Fragment
from realtime.look import News, PagesByTopic, Which, changed_since, hinted_at, look
from realtime.pages import Page
from realtime.panels import PACE, Panels
from shop.visits import End

if TYPE_CHECKING:
    from realtime.hub import Hub

INTERVAL = 4.5
"""Seconds between patrols: with the time that one takes, every 5 s."""
GATHERING = 0.05
"""Seconds to gather pages or hints in: two thousand that come at once share a handful of queries."""
HEARTBEAT = 3
"""Patrols from one word to every page to the next."""
CLOSE_CODES = {End.SESSION_OVER: SESSION_OVER, End.RIGHT_LOST: RIGHT_LOST}


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


def _by_topic(pages: Collection[Page]) -> PagesByTopic:
    by_topic: defaultdict[str, list[Page]] = defaultdict(list)
    for page in pages:
        for topic in page.topics:
            by_topic[topic].append(page)
    return dict(by_topic)
