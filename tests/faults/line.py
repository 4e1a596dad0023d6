"""A line between two processes that can be cut, and that can swallow what it carries."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from tests.faults.waiting import when

Address = tuple[str, int] | Path
"""Host and port, or a Unix socket."""

CHUNK = 65_536


class Line:
    """Connects whoever comes to one of `ends` in turn; to the next one if that does not answer."""

    def __init__(self, here: Address, ends: Sequence[Address]) -> None:
        self.here = here
        self._ends = ends
        self._turn = itertools.count()
        self._is_hole = False
        self._carriers: set[_Carrier] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        if isinstance(self.here, Path):
            # Whoever may enter the folder may come: so is the server's own socket kept.
            with contextlib.suppress(FileNotFoundError):
                self.here.unlink()
            mask = os.umask(0o077)
            try:
                self._server = await asyncio.start_unix_server(self._carry, self.here)
            finally:
                os.umask(mask)
        else:
            self._server = await asyncio.start_server(self._carry, *self.here, backlog=4096)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """All connections end at once, as when a router restarts."""
        for carrier in list(self._carriers):
            carrier.cut()

    def become_a_hole(self) -> None:
        """What goes in does not come out, and nobody is told: as behind a firewall that has forgotten us."""
        self._is_hole = True
        for carrier in self._carriers:
            carrier.is_hole = True

    def heal(self) -> None:
        """For who comes anew. Connections of before stay dead, as in life."""
        self._is_hole = False

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if (far := await self._reach()) is None:
                writer.transport.abort()
                return
            carrier = _Carrier(reader, writer, *far, is_hole=self._is_hole)
            self._carriers.add(carrier)
            try:
                await carrier.carry()
            finally:
                self._carriers.discard(carrier)
        finally:
            self._tasks.discard(task)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turn)
        for turn in range(len(self._ends)):
            end = self._ends[(first + turn) % len(self._ends)]
            with contextlib.suppress(OSError):
                if isinstance(end, Path):
                    return await asyncio.open_unix_connection(end)
                return await asyncio.open_connection(*end)
        return None


class _Carrier:
    """One connection, both ways."""

    def __init__(
        self,
        near_reader: asyncio.StreamReader,
        near: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far: asyncio.StreamWriter,
        *,
        is_hole: bool,
    ) -> None:
        self.is_hole = is_hole
        self._near, self._far = near, far
        self._near_reader, self._far_reader = near_reader, far_reader

    async def carry(self) -> None:
        """Until one side has ended: whoever speaks HTTP or Redis has nothing to say after that."""
        ways = [
            asyncio.create_task(self._pump(self._near_reader, self._far)),
            asyncio.create_task(self._pump(self._far_reader, self._near)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for writer in (self._near, self._far):
            writer.close()
        await asyncio.wait(ways)

    def cut(self) -> None:
        self.is_hole = False
        self._near.transport.abort()
        self._far.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if not self.is_hole:
                    writer.write(data)
                    await writer.drain()
        await when(lambda: not self.is_hole)  # nobody is told of its end
