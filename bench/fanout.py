"""How much reaches 500 open pages of one topic in a second, beside a plain Channels consumer.

Both are told in the same way, through the channel layer, as another web process would tell them. In each
round every message is about another product, so that there is nothing for a page's mailbox to replace;
the next round starts when the last page has them all.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from channels.layers import get_channel_layer

from bench import plain
from bench.report import Row, milliseconds, progress, ratio
from bench.stage import Server, server
from bench.wire import PATIENCE, Page, connection, load, sockets
from realtime.fragments import Fragment, stock_fragment
from realtime.hub import MOST_PAGES
from realtime.topics import CATALOG
from shop.models import Product

PAGES = 500
PRODUCTS = 20
ROUNDS = 7
WARM_UP = 2
"""Rounds that do not count."""


def measure() -> list[Row]:
    products = [
        Product.objects.create(slug=f"brass-table-bell-{number}", name="Bell", unit_amount=1250, stock=100)
        for number in range(PRODUCTS)
    ]
    fragments = [stock_fragment(product) for product in products]
    with server() as shop, server("bench.plain:application") as peer:
        ours, theirs = asyncio.run(_measure(shop, peer, fragments))
    size = len(fragments[0].html.encode())
    return [
        Row(
            f"{PAGES} pages of one topic, {PRODUCTS} changes of {size} bytes at once",
            f"{ours.burst:,.0f} frames/s",
            f"{theirs.burst:,.0f} frames/s group_send",
            ratio(ours.burst, theirs.burst),
            "≥ 4 ×",
        ),
        Row(
            f"{PAGES} pages of one topic, one change, until the last page has it",
            milliseconds(ours.single),
            f"{milliseconds(theirs.single)} group_send",
            ratio(theirs.single, ours.single),
            "≥ 4 ×",
        ),
    ]


class Audience:
    """All pages of one server: what arrives is counted, frame by frame."""

    def __init__(self, name: str, group: str) -> None:
        self.name = name
        self._group = group
        self._missing = 0
        self._complete: asyncio.Future[float] | None = None
        self._bursts: list[float] = []
        self._singles: list[float] = []

    @property
    def burst(self) -> float:
        """Deliveries a second, while all products change at once."""
        return PRODUCTS * PAGES / statistics.median(self._bursts[WARM_UP:])

    @property
    def single(self) -> float:
        """Seconds until the last page shows a change that comes alone."""
        return statistics.median(self._singles[WARM_UP * PRODUCTS :])

    def on_text(self, text: bytes, now: float) -> None:
        if text.startswith(b"{"):  # a word to keep the page's badge fresh
            return
        self._missing -= 1
        if not self._missing and self._complete:
            self._complete.set_result(now)

    async def round(self, fragments: Sequence[Fragment]) -> None:
        """All at once, then one after the other."""
        self._bursts.append(await self._tell([fragment.message for fragment in fragments]))
        for fragment in fragments:
            later = replace(fragment, version=fragment.version + 1)
            self._singles.append(await self._tell([later.message]))

    async def _tell(self, messages: Sequence[dict[str, Any]]) -> float:
        """Seconds until every page has every message."""
        self._complete = asyncio.get_running_loop().create_future()
        self._missing = len(messages) * PAGES
        layer = get_channel_layer()
        start = time.perf_counter()
        for message in messages:
            await layer.group_send(self._group, message)
        try:
            arrived = await asyncio.wait_for(self._complete, PATIENCE)
        except TimeoutError:
            raise RuntimeError(f"{self.name}: {self._missing} frames never came") from None
        await asyncio.sleep(0.01)
        if self._missing:
            raise RuntimeError(f"{self.name}: {-self._missing} frames too many")
        return arrived - start


async def _measure(shop: Server, peer: Server, fragments: Sequence[Fragment]) -> tuple[Audience, Audience]:
    ours, theirs = Audience("Shopbell", CATALOG), Audience("plain Channels", plain.GROUP)
    async with AsyncExitStack() as stack:
        for where, pages, audience in (
            (shop, await _shop_pages(shop), ours),
            (peer, [Page("", plain.ADDRESS)] * PAGES, theirs),
        ):
            await stack.enter_async_context(sockets(where, pages, audience.on_text))
        for number in range(WARM_UP + ROUNDS):
            version = 2 * number + 2  # each round uses two, and the products start at 1
            news = [replace(fragment, version=version, changed_at=time.time()) for fragment in fragments]
            for audience in (ours, theirs):
                await audience.round(news)
            progress(f"  round {number + 1} of {WARM_UP + ROUNDS}")
    return ours, theirs


async def _shop_pages(shop: Server) -> list[Page]:
    """By as many guests as the limit of pages for one asks for."""
    async with connection(shop) as browser:
        guests = [await load(browser, shop) for _ in range(PAGES // MOST_PAGES)]
    return [guest for guest in guests for _ in range(MOST_PAGES)]
