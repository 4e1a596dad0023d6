"""Valkey: pages are slower without it, and that is all."""

import signal
from collections.abc import AsyncIterator
from random import Random

from tests.faults.troubles.trouble import NOTHING, killed, trouble
from tests.faults.world import World


@trouble("Valkey killed", 1, kills=True, may_fail=NOTHING)
async def valkey_killed(world: World, dice: Random) -> AsyncIterator[None]:
    """It keeps nothing, so it comes back empty."""
    async with killed(world, world.valkey.process):
        yield
    await world.start_valkey()


@trouble("Valkey frozen", 20, may_fail=NOTHING)
async def valkey_frozen(world: World, dice: Random) -> AsyncIterator[None]:
    world.valkey.process.kill(signal.SIGSTOP)
    yield
    world.valkey.process.kill(signal.SIGCONT)


@trouble("Valkey's connections cut", 1, may_fail=NOTHING)
async def valkey_cut(world: World, dice: Random) -> AsyncIterator[None]:
    world.valkey_line.cut()
    yield


@trouble("Valkey behind a hole", 10, may_fail=NOTHING)
async def valkey_in_a_hole(world: World, dice: Random) -> AsyncIterator[None]:
    world.valkey_line.become_a_hole()
    yield
    world.valkey_line.heal()
