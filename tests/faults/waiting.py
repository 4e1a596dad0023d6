"""Asking again and again, for what cannot tell us by itself."""

import asyncio
from collections.abc import Callable

GAP = 0.05  # seconds


async def when(condition: Callable[[], bool], seconds: float | None = None) -> None:
    """Until it is true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(GAP)


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """The same for a question that blocks. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if await asyncio.to_thread(condition):
                return
            await asyncio.sleep(GAP)
