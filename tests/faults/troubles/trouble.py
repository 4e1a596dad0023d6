"""What a trouble is, and how one is registered."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random

from sandbox.processes import Process
from tests.faults.waiting import until
from tests.faults.world import World

ALL = frozenset({"delivery", "page", "checkout", "staff", "Stripe"})
"""Kinds of what is asked, as the history calls them."""
NOTHING: frozenset[str] = frozenset()

Steps = Callable[[World, Random], AsyncIterator[None]]
Cause = Callable[[World, Random], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """`seconds` is how long it lasts in the long version; `kills` whether a process is killed. While it is
    on, `may_fail` need not work; where no nginx asks the next process, `may_fail_without_nginx` neither.
    """

    name: str
    cause: Cause
    seconds: float
    kills: bool = False
    may_fail: frozenset[str] = ALL
    may_fail_without_nginx: frozenset[str] = NOTHING

    def may_fail_in(self, world: World) -> frozenset[str]:
        return self.may_fail if world.is_behind_nginx else self.may_fail | self.may_fail_without_nginx


TROUBLES: list[Trouble] = []


def trouble(
    name: str,
    seconds: float,
    *,
    kills: bool = False,
    may_fail: frozenset[str] = ALL,
    may_fail_without_nginx: frozenset[str] = NOTHING,
) -> Callable[[Steps], Cause]:
    """Makes one of a function that hurts the world, yields, and mends it."""

    def register(steps: Steps) -> Cause:
        cause = asynccontextmanager(steps)
        TROUBLES.append(Trouble(name, cause, seconds, kills, may_fail, may_fail_without_nginx))
        return cause

    return register


@asynccontextmanager
async def killed(world: World, process: Process) -> AsyncIterator[None]:
    """When the block is left, it is gone, and can be started again."""
    world.kill(process)
    yield
    await until(lambda: not process.running)
