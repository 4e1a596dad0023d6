"""What can go wrong, each as a context: hurt on the way in, mended on the way out."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg

from sandbox import parts
from sandbox.processes import Process
from tests.faults.waiting import until
from tests.faults.world import World

LARGEST = 4096
"""Megabytes: more than the disk that we fill has, whatever disk that turns out to be."""
DISTRUST = 2.0
"""Seconds until nginx asks again who was away, for which deploy/restart waits, too."""
LIBFAKETIME = next((str(library) for library in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")

Cause = Callable[[World, Random], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """`seconds` is how long it lasts in the long version. What is unfelt fails nobody behind nginx."""

    name: str
    cause: Cause
    seconds: float
    kills: bool = False
    is_unfelt: bool = False


TROUBLES: list[Trouble] = []


def trouble(
    name: str, seconds: float, *, kills: bool = False, is_unfelt: bool = False
) -> Callable[[Callable[[World, Random], Any]], Cause]:
    def register(steps: Callable[[World, Random], AsyncIterator[None]]) -> Cause:
        cause = asynccontextmanager(steps)
        TROUBLES.append(Trouble(name, cause, seconds, kills, is_unfelt))
        return cause

    return register


# --- web ------------------------------------------------------------------------------------------------


@trouble("web killed", 0.5, kills=True)
async def web_killed(world: World, dice: Random) -> AsyncIterator[None]:
    """Under load it is in the middle of some webhook."""
    web = dice.choice(world.webs)
    world.kill(web)
    yield
    await world.start_web(web)


@trouble("web dies between commit and push", 1, kills=True)
async def web_dies_before_it_tells(world: World, dice: Random) -> AsyncIterator[None]:
    world.fuse.touch()
    yield
    if world.fuse.exists():
        world.fuse.unlink()
        world.history.note("not hit")
    else:
        world.history.note("killed", process="web")
    await world.keep_alive()


@trouble("rolling restart", 0, is_unfelt=True)
async def rolling_restart(world: World, dice: Random) -> AsyncIterator[None]:
    for web in world.webs:
        web.ask_to_stop()
        await until(lambda web=web: not web.running, 15)  # type: ignore[misc]
        await world.start_web(web)
        await asyncio.sleep(DISTRUST)
    yield


@trouble("web frozen", 30)
async def web_frozen(world: World, dice: Random) -> AsyncIterator[None]:
    web = dice.choice(world.webs)
    web.kill(signal.SIGSTOP)
    yield
    web.kill(signal.SIGCONT)


# --- Valkey -----------------------------------------------------------------------------------------------


@trouble("Valkey killed", 1, kills=True)
async def valkey_killed(world: World, dice: Random) -> AsyncIterator[None]:
    """It keeps nothing, so it comes back empty."""
    world.kill(world.valkey.process)
    yield
    await until(lambda: not world.valkey.process.running)
    await world.start_valkey()


@trouble("Valkey frozen", 20)
async def valkey_frozen(world: World, dice: Random) -> AsyncIterator[None]:
    world.valkey.process.kill(signal.SIGSTOP)
    yield
    world.valkey.process.kill(signal.SIGCONT)


@trouble("Valkey's connections cut", 1)
async def valkey_cut(world: World, dice: Random) -> AsyncIterator[None]:
    world.valkey_line.cut()
    yield


@trouble("Valkey behind a hole", 10)
async def valkey_in_a_hole(world: World, dice: Random) -> AsyncIterator[None]:
    world.valkey_line.become_a_hole()
    yield
    world.valkey_line.heal()


# --- PostgreSQL -------------------------------------------------------------------------------------------


@trouble("PostgreSQL killed", 1, kills=True)
async def postgres_killed(world: World, dice: Random) -> AsyncIterator[None]:
    world.kill(world.postgres.process)
    yield
    await until(lambda: not world.postgres.process.running)
    world.postgres.start()
    await world.until_database_answers()
    await world.keep_alive()


@trouble("database connections terminated", 0.5)
async def postgres_throws_all_out(world: World, dice: Random) -> AsyncIterator[None]:
    await asyncio.to_thread(
        _sql, world, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    )
    yield
    await world.keep_alive()


@trouble("rows locked", 30)
async def rows_locked(world: World, dice: Random) -> AsyncIterator[None]:
    """The newest orders, by somebody with a forgotten transaction of his own."""
    connection = await psycopg.AsyncConnection.connect(world.postgres.url)
    await connection.execute("SET idle_in_transaction_session_timeout = 0")
    await connection.execute("SET transaction_timeout = 0")
    await connection.execute("SELECT id FROM shop_order ORDER BY id DESC LIMIT 5 FOR UPDATE")
    yield
    await connection.close()


@trouble("disk full", 5)
async def disk_full(world: World, dice: Random) -> AsyncIterator[None]:
    """The database's, where the machine lets us give it a small one of its own."""
    ballast = world.postgres.directory / "ballast"
    if not world.has_own_disk:
        world.history.note("not possible here", trouble="disk full")
    else:
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            for megabyte in range(LARGEST):
                os.posix_fallocate(file.fileno(), megabyte << 20, 1 << 20)
    yield
    ballast.unlink(missing_ok=True)
    if not world.postgres.process.running:  # it had no room to write down what it had promised
        world.postgres.start()
    await world.until_database_answers()
    await world.keep_alive()


# --- Stripe -----------------------------------------------------------------------------------------------


@trouble("Stripe slow, broken, busy and cut off", 5)
async def stripe_ails(world: World, dice: Random) -> AsyncIterator[None]:
    ills = {"api_slow": 10, "api_slow_seconds": 3, "api_500": 20, "api_429": 10, "api_cut": 20}
    await _control(world, "/control/chaos", ills)
    yield
    await _control(world, "/control/chaos", dict.fromkeys(("api_slow", "api_500", "api_429", "api_cut"), 0))


@trouble("webhooks off", 5)
async def webhooks_off(world: World, dice: Random) -> AsyncIterator[None]:
    world.post.is_off = True
    yield
    world.post.is_off = False


@trouble("Stripe killed", 0.5, kills=True)
async def stripe_killed(world: World, dice: Random) -> AsyncIterator[None]:
    world.kill(world.stripe)
    yield
    await until(lambda: not world.stripe.running)
    world.stripe.start()
    await until(parts.is_healthy(world.stripe_port))


# --- clients ----------------------------------------------------------------------------------------------


@trouble("clients stop reading, or are gone without a word", 45)
async def clients_hang(world: World, dice: Random) -> AsyncIterator[None]:
    hung = dice.sample(world.pages, len(world.pages) // 5)
    for page in hung[::2]:
        page.stop_reading()
    for page in hung[1::2]:
        page.go_silent()
    yield
    for page in hung[::2]:
        page.read_on()
    for page in hung[1::2]:
        if page in world.pages:  # nobody comes back from there
            world.pages.remove(page)
            page.close()


@trouble("all tabs asleep, then awake at once", 5)
async def tabs_sleep(world: World, dice: Random) -> AsyncIterator[None]:
    asleep = list(world.pages)
    for page in asleep:
        page.sleep()
    yield
    for page in asleep:
        page.wake()


# --- the clock --------------------------------------------------------------------------------------------


@trouble("a web host's clock ten minutes fast", 5)
async def clock_fast(world: World, dice: Random) -> AsyncIterator[None]:
    async with _clock_off(world, dice, "+600s"):
        yield


@trouble("a web host's clock ten minutes slow", 5)
async def clock_slow(world: World, dice: Random) -> AsyncIterator[None]:
    async with _clock_off(world, dice, "-600s"):
        yield


@asynccontextmanager
async def _clock_off(world: World, dice: Random, by: str) -> AsyncIterator[None]:
    """Where libfaketime is installed."""
    which = dice.randrange(len(world.webs))
    right = world.webs[which]
    if not LIBFAKETIME:
        world.history.note("not possible here", trouble="a wrong clock")
    lie = (
        {"LD_PRELOAD": LIBFAKETIME, "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        if LIBFAKETIME
        else {}
    )
    wrong = world.web(world.web_ports[which], world.env | lie, name=f"{right.name}-clock")
    await _replace(world, which, wrong)
    yield
    await _replace(world, which, right)


async def _replace(world: World, which: int, by: Process) -> None:
    world.webs[which].ask_to_stop()
    await until(lambda: not world.webs[which].running, 20)
    world.webs[which] = by
    await world.start_web(by)


# --- the worker -------------------------------------------------------------------------------------------


@trouble("worker killed", 0.5, kills=True)
async def worker_killed(world: World, dice: Random) -> AsyncIterator[None]:
    world.kill(world.worker)
    yield
    await until(lambda: not world.worker.running)
    world.worker.start()


async def _control(world: World, path: str, fields: dict[str, Any]) -> None:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=world.stripe_url, headers=headers, trust_env=False) as page:
        (await page.post(path, content=json.dumps(fields))).raise_for_status()


async def make_webhooks_bad(world: World, seed: int) -> None:
    """As they are all the time here: a quarter comes twice, some in another order, some damaged."""
    rates = {"duplicate": 25, "reorder": 10, "reorder_seconds": 1, "corrupt": 5, "seed": seed}
    await _control(world, "/control/chaos", rates)


def _sql(world: World, statement: str) -> None:
    with (
        contextlib.suppress(psycopg.OperationalError),
        psycopg.connect(world.postgres.url, autocommit=True) as connection,
    ):
        connection.execute(statement)
