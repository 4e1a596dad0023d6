"""A wrong clock, where libfaketime is installed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from sandbox.processes import Process
from tests.faults.troubles.trouble import ALL, trouble
from tests.faults.world import World

LIBFAKETIME = next((str(library) for library in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")
FAST, SLOW = "a web host's clock ten minutes fast", "a web host's clock ten minutes slow"
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
    await _replace(world, which, right)


async def _replace(world: World, which: int, by: Process) -> None:
    await world.stop_web(world.webs[which])
    world.webs[which] = by
    await world.start_web(by)
