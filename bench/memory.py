"""What an idle open page costs the web process: each its own shopper's, with the socket of the shop page."""

import asyncio
from collections.abc import Sequence

from bench import plain
from bench.report import Row, progress, ratio
from bench.stage import Server, server
from bench.wire import Page, connection, load, sockets
from realtime.sweep import INTERVAL

PAGES = 1000
WARM_UP = 100
"""Pages that are open before we look, and stay: what a process needs once is not theirs."""


def measure() -> list[Row]:
    with server() as shop:
        ours = asyncio.run(_shop(shop))
    with server("bench.plain:application") as peer:
        theirs = asyncio.run(_cost(peer, [Page("", plain.ADDRESS)] * (WARM_UP + PAGES)))
    return [
        Row(
            f"memory of an idle open page, {PAGES:,} open",
            f"{ours / 1024:.1f} KB",
            f"{theirs / 1024:.1f} KB plain consumer",
            ratio(ours, theirs),
            "≤ 40 KB",
        )
    ]


async def _shop(shop: Server) -> float:
    async with connection(shop) as browser:
        pages = [await load(browser, shop) for _ in range(WARM_UP + PAGES)]
    progress(f"  {len(pages):,} pages loaded")
    return await _cost(shop, pages)


async def _cost(where: Server, pages: Sequence[Page]) -> float:
    """Bytes of resident memory for each of the pages after the first ones."""
    async with sockets(where, pages[:WARM_UP], _ignore):
        before = await _settled(where)
        async with sockets(where, pages[WARM_UP:], _ignore):
            progress(f"  {len(pages):,} pages open")
            return (await _settled(where) - before) / PAGES


async def _settled(where: Server) -> int:
    await asyncio.sleep(INTERVAL + 1)  # a patrol has passed
    return where.resident()


def _ignore(text: bytes, now: float) -> None:
    pass
