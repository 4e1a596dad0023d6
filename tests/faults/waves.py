"""Waves of pages that all come at once, are cut off, come back at once, and leave."""

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.environment import ROOT
from tests.faults.people import Crowd
from tests.faults.result import Level, Result
from tests.faults.waiting import when
from tests.faults.world import World

LAST = 5
"""Waves at the end, to tell what grows with each from what grows once."""
KEPT_BY_A_PAGE = 8_000
"""Bytes, a quarter of what an open one costs: what is kept of one that is gone shows above that."""
NOISE = 4_000_000, 10
"""Bytes and descriptors by which the processes grow and shrink anyway."""
GROWN = 100_000_000
"""Bytes by which they may be larger than when they were new: what Python keeps of its busiest moment."""
POOLED = 60
"""Connections that the processes keep when there was much to do: to PostgreSQL, Valkey and Stripe."""


@dataclass(frozen=True, slots=True)
class Waves:
    """Of `size` pages each."""

    world: World
    crowd: Crowd
    result: Result
    size: int

    async def come_and_go(self) -> None:
        """A wave of pages, and what it left behind."""
        await self._wave()
        level = await self._level()
        self.result.levels.append(level)
        self.world.history.note("level", memory=level.memory, descriptors=level.descriptors)

    def nothing_is_kept(self) -> None:
        """What pages cost has to be given back when they are gone."""
        levels = self.result.levels
        first, _, settled, *_, last = levels
        memory, descriptors = NOISE
        if last.descriptors > min(first.descriptors + POOLED, settled.descriptors + descriptors):
            self._blame(f"{[level.descriptors for level in levels]} descriptors")
        if last.memory > first.memory + GROWN:
            self._blame(f"{[level.memory for level in levels]} bytes, the first before anything happened,")
        if last.memory > settled.memory + (LAST - 2) * self.size * KEPT_BY_A_PAGE + memory:
            self._blame(f"{[level.memory for level in levels]} bytes")

    def _blame(self, what: str) -> None:
        self.world.history.violation("F", f"the web processes had {what} after each wave of pages")

    async def _wave(self) -> None:
        """They come one by one, are cut off, and come back at once; somebody logs in meanwhile."""
        visitors = [self.crowd.visitor(f"visitor-{number}") for number in range(self.size)]
        pages = [await visitor.open("/") for visitor in visitors]
        await when(lambda: all(page.open for page in pages), 30)
        for page in pages:
            page.sleep()
        await when(lambda: not any(page.open for page in pages), 30)
        somebody = await self._somebody()
        for page in pages:
            page.wake()
        seconds, _ = await somebody.communicate(b"\n")
        self.result.logins.append(float(seconds))
        await when(lambda: all(page.open for page in pages), 30)
        for page in pages:
            page.close()

    async def _somebody(self) -> asyncio.subprocess.Process:
        """Who logs in when she is told to."""
        somebody = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.log_in", self.world.url, "staff"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"LOG_IN_PASSWORD": self.world.staff_password},
            cwd=ROOT,
        )
        assert somebody.stdout
        assert await somebody.stdout.readline() == b"ready\n"
        return somebody

    async def _level(self) -> Level:
        """When it has settled."""
        level, before = _usage(self.world), None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                while level != before:
                    await asyncio.sleep(0.5)
                    before, level = level, _usage(self.world)
        return level


def _usage(world: World) -> Level:
    descriptors = memory = 0
    for web in world.webs:
        descriptors += len(list(Path(f"/proc/{web.pid}/fd").iterdir()))
        statm = Path(f"/proc/{web.pid}/statm").read_text()
        memory += int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Level(descriptors, memory)
