"""A page's socket as hx-ws of htmx 4.0.0 keeps it: it comes back, and pauses in a hidden tab."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Origin
from websockets.uri import parse_uri

NO_CODE, BROKEN = 1005, 1006
CLOSING = 2.0
"""Seconds that a browser waits for the other side to close, too."""
FIRST_DELAY, LONGEST_DELAY, JITTER = 0.5, 60.0, 0.3
"""hx-ws's own; seconds."""


class Socket(asyncio.Protocol):
    """One WebSocket. `on_close` is called once, unless it was let go."""

    def __init__(
        self,
        address: str,
        origin: str,
        cookies: str,
        on_open: Callable[[], None],
        on_text: Callable[[str], None],
        on_close: Callable[[int], None],
    ) -> None:
        self._protocol = ClientProtocol(parse_uri(address), origin=Origin(origin), max_size=None)
        self._cookies = cookies
        self._on_open, self._on_text, self._on_close = on_open, on_text, on_close
        self._message = b""
        self._transport: asyncio.Transport | None = None
        self._silent = False
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        handshake = self._protocol.connect()
        handshake.headers["Cookie"] = self._cookies
        self._protocol.send_request(handshake)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._silent:
            return
        self._protocol.receive_data(data)
        self._flush()
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self.is_open = self._protocol.state is State.OPEN
                if self.is_open:
                    self._on_open()
            elif isinstance(event, Frame):
                self._receive(event)
        if self._protocol.handshake_exc or self._protocol.close_rcvd or self._protocol.parser_exc:
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        received = self._protocol.close_rcvd
        self._on_close(received.code if received else BROKEN)

    def close(self, code: int | None = None) -> None:
        """As the browser does: say so, and wait a moment for the other side."""
        if self._transport is None or self._silent:
            return
        if self._protocol.state is not State.OPEN:
            self._transport.abort()
            return
        self.is_open = False
        self._protocol.send_close(code)
        self._flush()
        asyncio.get_running_loop().call_later(CLOSING, self._transport.abort)

    def let_go(self, code: int | None = None) -> None:
        """Close it, and hear nothing of it any more."""
        self._on_open, self._on_text, self._on_close = _ignore, _ignore, _ignore
        self.close(code)

    def abort(self) -> None:
        self._on_open, self._on_text, self._on_close = _ignore, _ignore, _ignore
        if self._transport:
            self._transport.abort()

    def pause(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def go_silent(self) -> None:
        """Neither read nor say anything, not even that it is over."""
        self._silent = True
        self.pause()

    def _receive(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            return
        self._message += frame.data
        if frame.fin:
            message, self._message = self._message, b""
            self._on_text(message.decode())

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)

    def _end(self) -> None:
        assert self._transport is not None
        self._transport.close()


@dataclass(frozen=True, slots=True)
class Config:
    """`longest_delay` in seconds; `pauses` in a hidden tab."""

    longest_delay: float
    pauses: bool

    @classmethod
    def of(cls, config: dict[str, Any], *, pauses: bool) -> "Config":
        """From htmx's own, in milliseconds."""
        return cls(config.get("ws", {}).get("reconnectMaxDelay", LONGEST_DELAY * 1000) / 1000, pauses)


class Link:
    """hx-ws's connection: one address, one socket after the other. `hidden` is the tab's.

    `who` says origin and cookies; `on_close(link, code)` whether it is to be tried again.
    """

    def __init__(
        self,
        address: str,
        config: Config,
        who: Callable[[], tuple[str, str]],
        chance: random.Random,
        on_text: Callable[["Link", str], None],
        on_close: Callable[["Link", int], bool],
    ) -> None:
        self.config = config
        self.hidden = False
        self.heard = 0.0
        """When by the loop's clock; 0 while nothing is waited for."""
        self.greeted = False
        self.connections = 0
        """How many were begun."""
        self._address = address
        self._who = who
        self._chance = chance
        self._on_text, self._on_close = on_text, on_close
        self._loop = asyncio.get_running_loop()
        self._attempt = 0
        self._socket: Socket | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._dead: list[Socket] = []

    @property
    def is_open(self) -> bool:
        return self._socket is not None and self._socket.is_open

    @property
    def is_connecting(self) -> bool:
        return self._dialling is not None or (self._socket is not None and not self._socket.is_open)

    @property
    def has_dead_sockets(self) -> bool:
        return bool(self._dead)

    def start(self) -> None:
        """For the first time. Raises nothing: what goes wrong closes the link."""
        self.heard = self._loop.time()
        self._connect()

    def hide(self) -> None:
        self.hidden = True
        if self.config.pauses and self._socket and self._socket.is_open:
            self._socket.close()

    def show(self) -> None:
        self.hidden = False
        if self.config.pauses and not self.is_connecting and not self.is_open:
            self._attempt = 0
            self._connect()

    def break_off(self) -> None:
        """It hangs in the handshake: as if it had been closed."""
        self._let_go()
        self._closed(BROKEN)

    def end(self) -> None:
        """The page is left. What has gone silent stays so: nobody tells the server."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._let_go(1000)

    def abort(self) -> None:
        """Nothing of it is left."""
        self.end()
        for socket in self._dead:
            socket.abort()

    def pause_reading(self) -> None:
        if self._socket:
            self._socket.pause()

    def resume_reading(self) -> None:
        if self._socket:
            self._socket.resume()

    def go_silent(self) -> None:
        if self._socket:
            self._socket.go_silent()
            self._dead.append(self._socket)

    def _connect(self) -> None:
        self._let_go()
        self.greeted = False
        self.connections += 1
        self._dialling = self._loop.create_task(self._dial())

    async def _dial(self) -> None:
        origin, cookies = self._who()
        at = urlsplit(origin)
        address = origin.replace("http", "ws", 1) + self._address
        socket = Socket(address, origin, cookies, self._opened, self._heard, self._closed)
        self._socket = socket
        try:
            await self._loop.create_connection(lambda: socket, at.hostname or "", at.port or 80)
        except OSError:
            self._dialling = None
            self._closed(BROKEN)
        else:
            self._dialling = None

    def _opened(self) -> None:
        self._attempt = 0

    def _heard(self, text: str) -> None:
        self.heard = self._loop.time()
        self._on_text(self, text)

    def _closed(self, code: int) -> None:
        self._socket = None
        self.greeted = False
        self.heard = 0.0
        again = self._on_close(self, code)
        if again and not (self.hidden and self.config.pauses):
            self._wait()

    def _wait(self) -> None:
        self._attempt += 1
        delay = min(FIRST_DELAY * 2 ** (self._attempt - 1), self.config.longest_delay)
        delay += self._chance.uniform(-1, 1) * delay * JITTER
        self.heard = self._loop.time()

        def go() -> None:
            self._timers.discard(timer)
            self._connect()

        # A tab that wakes up meanwhile connects at once and again then: hx-ws does so, too.
        timer = self._loop.call_later(delay, go)
        self._timers.add(timer)

    def _let_go(self, code: int | None = None) -> None:
        if self._dialling:
            self._dialling.cancel()
            self._dialling = None
        if self._socket:
            self._socket.let_go(code)
            self._socket = None


def _ignore(*_: object) -> None:
    pass
