"""A wrong clock, where libfaketime is installed."""

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import httpx

from sandbox.processes import Process
from tests.faults.troubles.trouble import ALL, trouble
from tests.faults.waiting import until
from tests.faults.world import World

LIBFAKETIME = next((str(library) for library in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")
FAST, SLOW = "a web host's clock ten minutes fast", "a web host's clock ten minutes slow"
DIFFERENCE = re.compile(r"^shopbell_clock_difference_seconds (\S+)", re.MULTILINE)
ALERTING = 5.0
"""Seconds."""
TOLD_IN = 15.0
"""Seconds: it compares clocks when it patrols."""
SIGNED_BY_ANOTHER_TIME = frozenset({"delivery"})
"""Such a host takes right webhooks for too old, or too new, to be trusted."""


@trouble(FAST, 5, may_fail=SIGNED_BY_ANOTHER_TIME, may_fail_without_nginx=ALL)
async def clock_fast(world: World, dice: Random) -> AsyncIterator[None]:
    async with _clock_off(world, dice, "+600s", FAST):
        yield


@trouble(SLOW, 5, may_fail=SIGNED_BY_ANOTHER_TIME, may_fail_without_nginx=ALL)
async def clock_slow(world: World, dice: Random) -> AsyncIterator[None]:
    async with _clock_off(world, dice, "-600s", SLOW):
        yield


@asynccontextmanager
async def _clock_off(world: World, dice: Random, by: str, trouble: str) -> AsyncIterator[None]:
    if not LIBFAKETIME:
        world.history.note("not possible here", trouble=trouble)
        yield
        return
    which = dice.randrange(len(world.webs))
    right = world.webs[which]
    lie = {"LD_PRELOAD": LIBFAKETIME, "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    wrong = world.web(world.web_ports[which], world.env | lie, name=f"{right.name}-clock")
    await _replace(world, which, wrong)
    yield
    await _it_is_told(world, world.web_ports[which])
    await _replace(world, which, right)


async def _it_is_told(world: World, port: int) -> None:
    """By its own figures, as the rule ClockWrong in deploy/alerts.yml reads them."""

    def differs() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            figures = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5, trust_env=False).text
            return any(abs(float(found)) > ALERTING for found in DIFFERENCE.findall(figures))
        return False

    try:
        await until(differs, TOLD_IN)
    except TimeoutError:
        world.history.violation("A", "a web host's clock is wrong, and its figures do not say so")


async def _replace(world: World, which: int, by: Process) -> None:
    await world.stop_web(world.webs[which])
    world.webs[which] = by
    await world.start_web(by)
