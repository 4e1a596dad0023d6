"""PostgreSQL: killed, full, or in somebody else's hands."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import psycopg

from tests.faults.troubles.trouble import killed, trouble
from tests.faults.world import DISK, World

FULL = "disk full"


@trouble("PostgreSQL killed", 1, kills=True)
async def postgres_killed(world: World, dice: Random) -> AsyncIterator[None]:
    async with killed(world, world.postgres.process):
        yield
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


@trouble(FULL, 5)
async def disk_full(world: World, dice: Random) -> AsyncIterator[None]:
    """The database's, where the machine lets us give it a small one of its own."""
    if not world.has_own_disk:
        world.history.note("not possible here", trouble=FULL)
        yield
        return
    ballast = world.postgres.directory / "ballast"
    _fill(ballast)
    yield
    ballast.unlink()
    if not world.postgres.process.running:  # it had no room to write down what it had promised
        world.postgres.start()
    await world.until_database_answers()
    await world.keep_alive()


def _fill(ballast: Path) -> None:
    """To the last page: in less than a megabyte, PostgreSQL writes on for seconds."""
    with ballast.open("wb") as file:
        size = 0
        for step in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while size < DISK:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step


def _sql(world: World, statement: str) -> None:
    with (
        contextlib.suppress(psycopg.OperationalError),
        psycopg.connect(world.postgres.url, autocommit=True) as connection,
    ):
        connection.execute(statement)
