"""So many senders at once, each with its next request as soon as its last one is answered."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.wire import PATIENCE


@dataclass(frozen=True, slots=True)
class Load:
    """`seconds` from the first byte to the last answer; `latencies` of each request, in seconds."""

    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


async def load(port: int, requests: Sequence[bytes], senders: int) -> Load:
    """Send them all to a server of this machine, each sender on a connection that stays open.

    Raises RuntimeError if one is not answered by 200, ConnectionError if one is not answered at all.
    """
    loop = asyncio.get_running_loop()
    waiting, latencies = iter(requests), list[float]()
    opened = [
        (await loop.create_connection(lambda: Sender(waiting, latencies), "127.0.0.1", port))[1]
        for _ in range(senders)
    ]
    start = time.perf_counter()
    for sender in opened:
        sender.send()
    async with asyncio.timeout(PATIENCE + len(requests)):
        await asyncio.gather(*(sender.done for sender in opened))
    return Load(time.perf_counter() - start, latencies)


class Sender(asyncio.Protocol):
    def __init__(self, waiting: Iterator[bytes], latencies: list[float]) -> None:
        self._waiting = waiting
        self._latencies = latencies
        self._answer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self) -> None:
        """The next one that nobody has sent yet."""
        request = next(self._waiting, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._start = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if not head.startswith(b"HTTP/1.1 200 ") or length is None:
            self.done.set_exception(RuntimeError(f"Answered {head.decode('latin-1')}"))
            self._transport.close()
        elif len(body) == int(length[1]):
            self._latencies.append(time.perf_counter() - self._start)
            self._answer = b""
            self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("The server closed the connection"))
