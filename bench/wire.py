"""Clients as lean as Python allows, so that we time the server and not ourselves."""

import asyncio
import html
import http.client
import io
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie

from django.conf import settings
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response as Handshake
from websockets.typing import Origin
from websockets.uri import parse_uri

from bench.stage import Server
from shop.shoppers import GUEST_COOKIE

PATIENCE = 30.0
"""Seconds after which something is wrong with what we measure."""
WAVE = 40
"""Sockets that knock at once: Daphne lets 50 wait."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Connection:
    """One HTTP connection that is kept open, as Stripe's and a browser's are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, request: bytes) -> None:
        self._writer.write(request)

    async def answer(self) -> Answer:
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, _, rest = head.partition(b"\r\n")
        headers = http.client.parse_headers(io.BytesIO(rest))
        body = await self._reader.readexactly(int(headers["Content-Length"]))
        return Answer(int(status.split()[1]), headers, body)

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def connection(server: Server) -> AsyncIterator[Connection]:
    opened = Connection(*await asyncio.open_connection("127.0.0.1", server.port))
    try:
        yield opened
    finally:
        opened.close()


def request(server: Server, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Page:
    """A page as a browser has it after loading: the guest's cookie, where its socket is, and the session's
    cookie of who is logged in.
    """

    cookie: str
    socket: str
    session: str = ""

    @property
    def cookies(self) -> str:
        return _cookies(self.cookie, self.session)


async def load(
    http: Connection, server: Server, path: str = "/", cookie: str = "", session: str = ""
) -> Page:
    """Without a cookie it is a new guest's."""
    http.send(request(server, "GET", path, Cookie=_cookies(cookie, session)))
    answer = await http.answer()
    address = re.search(r'hx-ws:connect="([^"]+)"', answer.body.decode())
    if answer.status != 200 or address is None:
        raise RuntimeError(f"GET {path} answered {answer.status}, no live page")
    cookies = SimpleCookie("; ".join(answer.headers.get_all("Set-Cookie", [])))
    if GUEST_COOKIE in cookies:
        cookie = cookies[GUEST_COOKIE].value
    return Page(cookie, html.unescape(address[1]), session)


def _cookies(guest: str, session: str) -> str:
    pairs = {GUEST_COOKIE: guest, settings.SESSION_COOKIE_NAME: session}
    return "; ".join(f"{name}={value}" for name, value in pairs.items() if value)


OnText = Callable[[bytes, float], None]
"""What arrived, and when by `time.perf_counter`."""


class Socket(asyncio.Protocol):
    """A WebSocket by the package websockets, without the task and the queue that its own client has."""

    def __init__(self, server: Server, page: Page, on_text: OnText) -> None:
        uri = parse_uri(f"ws://127.0.0.1:{server.port}{page.socket}")
        self._protocol = ClientProtocol(uri, origin=Origin(server.origin))
        self._cookies = page.cookies
        self._on_text = on_text
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        handshake = self._protocol.connect()
        handshake.headers["Cookie"] = self._cookies
        self._protocol.send_request(handshake)
        self._flush()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._protocol.receive_data(data)
        self._flush()
        for event in self._protocol.events_received():
            if isinstance(event, Handshake):
                self.opened.set_result(None)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._on_text(bytes(event.data), now)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(self._protocol.handshake_exc or ConnectionError("no handshake"))

    def close(self) -> None:
        self._transport.close()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)


@asynccontextmanager
async def sockets(server: Server, pages: Sequence[Page], on_text: OnText) -> AsyncIterator[None]:
    """A socket for each page, open and let in."""
    opened: list[Socket] = []
    try:
        for start in range(0, len(pages), WAVE):
            wave = await asyncio.gather(*(_connect(server, page, on_text) for page in pages[start:][:WAVE]))
            opened += wave
        yield
    finally:
        for socket in opened:
            socket.close()


async def _connect(server: Server, page: Page, on_text: OnText) -> Socket:
    let_in = asyncio.get_running_loop().create_future()
    live = "?ticket=" in page.socket

    def first_word(text: bytes, now: float) -> None:
        # A live page is let in by its first sweep, which says as of when.
        if not let_in.done() and text.startswith(b"{"):
            let_in.set_result(None)
        else:
            on_text(text, now)

    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(
        lambda: Socket(server, page, first_word), "127.0.0.1", server.port
    )
    async with asyncio.timeout(PATIENCE):
        await socket.opened
        if live:
            await let_in
    return socket
