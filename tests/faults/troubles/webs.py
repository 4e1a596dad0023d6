"""The web processes: killed, frozen, replaced."""

import signal
from collections.abc import AsyncIterator
from random import Random

from tests.faults.troubles.trouble import ALL, NOTHING, killed, trouble
from tests.faults.waiting import when
from tests.faults.world import World

UNTOLD = "web dies between commit and push"


@trouble("web killed", 0.5, kills=True)
async def web_killed(world: World, dice: Random) -> AsyncIterator[None]:
    """Under load it is in the middle of some webhook."""
    web = dice.choice(world.webs)
    async with killed(world, web):
        yield
    await world.start_web(web)


@trouble(UNTOLD, 1, kills=True)
async def web_dies_before_it_tells(world: World, dice: Random) -> AsyncIterator[None]:
    burnt = world.burnt
    world.fuse.touch()
    yield
    try:
        world.fuse.unlink()
    except FileNotFoundError:
        await when(lambda: world.burnt > burnt, 20)
    else:
        world.history.note("not hit", trouble=UNTOLD)
    await world.keep_alive()


@trouble("rolling restart", 0, may_fail=NOTHING, may_fail_without_nginx=ALL)
async def rolling_restart(world: World, dice: Random) -> AsyncIterator[None]:
    for web in world.webs:
        await world.stop_web(web)
        await world.start_web(web)
    yield


@trouble("web frozen", 30)
async def web_frozen(world: World, dice: Random) -> AsyncIterator[None]:
    web = dice.choice(world.webs)
    web.kill(signal.SIGSTOP)
    yield
    web.kill(signal.SIGCONT)
