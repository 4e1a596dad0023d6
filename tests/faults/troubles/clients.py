"""The browsers: those that hang, those that are cut off, those that sleep."""

from collections.abc import AsyncIterator
from random import Random

from tests.faults.troubles.trouble import NOTHING, trouble
from tests.faults.world import World


@trouble("clients stop reading, or are gone without a word", 45, may_fail=NOTHING)
async def clients_hang(world: World, dice: Random) -> AsyncIterator[None]:
    hung = dice.sample(world.pages, len(world.pages) // 5)
    hanging = hung[::2]
    silent = {page: page.loads for page in hung[1::2]}
    for page in hanging:
        page.stop_reading()
    for page in silent:
        page.go_silent()
    yield
    for page in hanging:
        page.read_on()
    for page, loads in silent.items():
        if page in world.pages and page.loads == loads:  # it was too short for it to notice
            page.reload()


@trouble("all tabs asleep, then awake at once", 5, may_fail=NOTHING)
async def tabs_sleep(world: World, dice: Random) -> AsyncIterator[None]:
    asleep = list(world.pages)
    for page in asleep:
        page.sleep()
    yield
    for page in asleep:
        page.wake()
