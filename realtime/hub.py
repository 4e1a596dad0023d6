"""All open pages of this process, with one subscription per topic however many pages share it."""

import asyncio
import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection
from contextvars import Context

from channels.layers import get_channel_layer

from realtime import gauges
from realtime.fragments import Fragment
from realtime.pages import Page
from realtime.sweep import Sweep
from realtime.topics import group_of
from shop.shoppers import Shopper

log = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds that Redis may take for one call; a frozen server would queue them up behind a lock."""
MOST_PAGES = 10
"""Open pages of one shopper."""
ROOM_LOOKS, ROOM_GAP = 50, 0.1
"""How often a page looks whether another one of its shopper has left, and the seconds between two looks."""
RETRY = 1.0
"""Seconds until the next try after Redis failed."""

_hub: "Hub | None" = None


def running_hub() -> "Hub | None":
    """This process's hub, from any thread; None while no page was ever open."""
    return _hub if _hub and not _hub.loop.is_closed() else None


def hub() -> "Hub":
    """The hub of the running event loop, started by the first page that opens."""
    global _hub
    if _hub is None or _hub.loop is not asyncio.get_running_loop():
        _hub = Hub()
    return _hub


class Hub:
    """Lives in one event loop; only `loop` is for other threads."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.pages: set[Page] = set()
        self.waiting: set[Page] = set()
        """They have just come, and want a sweep at once."""
        self.somebody_waits = asyncio.Event()
        self.hints: dict[tuple[str, str], Fragment] = {}
        """Of news for pages of ours, by topic and key."""
        self.hinted = asyncio.Event()
        self._open: Counter[Shopper] = Counter()
        self._at_the_door: Counter[Shopper] = Counter()
        self._by_topic: defaultdict[str, set[Page]] = defaultdict(set)
        self._subscribed: set[str] = set()
        self._topics_moved = asyncio.Event()
        self._settled = asyncio.Event()
        self._layer = get_channel_layer()
        self._channel = f"shopbell.hub.{uuid.uuid4().hex}"
        keeper = Sweep(self)
        # Not in the context of the page that happened to be the first.
        jobs = [self._listen, self._follow_topics, keeper.greet, keeper.inform, keeper.patrol]
        self._tasks = [asyncio.create_task(_forever(job), context=Context()) for job in jobs]

    async def admit(self, page: Page) -> bool:
        """Join, if need be within 5 s: windows that have closed count until this process hears of it, and one
        that was stopped for a while may hear of new ones first.

        False if there is no room then, or if as many wait for it already as could be open.
        """
        shopper = page.visit.shopper
        if self.join(page):
            return True
        if self._at_the_door[shopper] >= MOST_PAGES:
            return False
        self._at_the_door[shopper] += 1
        try:
            for _ in range(ROOM_LOOKS):
                await asyncio.sleep(ROOM_GAP)
                if self.join(page):
                    return True
            return False
        finally:
            self._at_the_door[shopper] -= 1
            if not self._at_the_door[shopper]:
                del self._at_the_door[shopper]

    def join(self, page: Page) -> bool:
        """Show the page its topics from now on; it waits for its first sweep, some 50 ms away.

        False if its shopper has enough pages open already.
        """
        if self._open[page.visit.shopper] >= MOST_PAGES:
            return False
        self._open[page.visit.shopper] += 1
        self.pages.add(page)
        self.waiting.add(page)
        for group in map(group_of, page.topics):
            if group not in self._by_topic:
                self._settled.clear()
                self._topics_moved.set()
            self._by_topic[group].add(page)
        self.somebody_waits.set()
        return True

    def leave(self, page: Page) -> None:
        if page in self.pages:
            self._open[page.visit.shopper] -= 1
            if not self._open[page.visit.shopper]:
                del self._open[page.visit.shopper]
        self.pages.discard(page)
        self.waiting.discard(page)
        for group in map(group_of, page.topics):
            self._by_topic[group].discard(page)
            if not self._by_topic[group]:
                del self._by_topic[group]
                self._topics_moved.set()

    def relay(self, fragment: Fragment) -> None:
        """Offer it to the pages that show its topic; a hint is looked into by a sweep."""
        pages = self._by_topic.get(fragment.topic, ())
        if fragment.html:
            taken = sum([page.offer(fragment) for page in pages])
            gauges.pushes.offered(len(pages), taken)
            if taken:
                self.say_when_sent(fragment, "hurried")
        elif any(page.wants(*fragment.state) for page in pages):
            self.hints[fragment.topic, fragment.key] = fragment
            self.hinted.set()

    def say_when_sent(self, fragment: Fragment, way: str) -> None:
        """Note how old it is when its pages have it: they write in the order in which it was offered."""
        self.loop.call_soon(gauges.pushes.handed_over, fragment, way)

    def showing(self, groups: Collection[str]) -> set[Page]:
        """The pages that show any of these."""
        return {page for group in groups for page in self._by_topic.get(group, ())}

    async def settled(self) -> None:
        """Wait until Redis will tell us of every topic that we show, but not for long."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._settled.wait()
        except TimeoutError:
            pass  # the sweep makes up for what we do not hear

    # --- the channel layer: hurry-ups from other processes, nothing more --------------------------

    async def _listen(self) -> None:
        message = await self._layer.receive(self._channel)
        if message["type"] == "fragment":
            self.relay(Fragment.from_message(message))

    async def _follow_topics(self) -> None:
        """Subscribe to the topics that our pages show, and to no others."""
        await self._topics_moved.wait()
        self._topics_moved.clear()
        wanted = set(self._by_topic)
        try:
            for topic in wanted - self._subscribed:
                async with asyncio.timeout(PATIENCE):
                    await self._layer.group_add(topic, self._channel)
                self._subscribed.add(topic)
            for topic in self._subscribed - wanted:
                async with asyncio.timeout(PATIENCE):
                    await self._layer.group_discard(topic, self._channel)
                self._subscribed.discard(topic)
        except Exception:
            self._topics_moved.set()
            raise
        if not self._topics_moved.is_set():
            self._settled.set()


async def _forever(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat one of the hub's jobs whatever happens: it is all that stands between a page and staleness."""
    while True:
        try:
            await step()
        except Exception as error:  # noqa: BLE001
            gauges.hub_failures.labels(step.__name__).inc()
            log.warning("%s failed, again in %s s: %r", step.__qualname__, RETRY, error)
            await asyncio.sleep(RETRY)
