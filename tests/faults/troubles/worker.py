"""The worker: nobody waits for it, and so nobody feels it."""

from collections.abc import AsyncIterator
from random import Random

from tests.faults.troubles.trouble import NOTHING, killed, trouble
from tests.faults.world import World


@trouble("worker killed", 0.5, kills=True, may_fail=NOTHING)
async def worker_killed(world: World, dice: Random) -> AsyncIterator[None]:
    async with killed(world, world.worker):
        yield
    world.start(world.worker)
