"""Open pages as the server meets them: rendered through the front door, their sockets opened as they say."""

import asyncio
import html
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import connection
from django.test import Client

from project.asgi import application
from realtime.fragments import Fragment, order_fragments
from shop.models import Order, Product
from shop.models.clock import database_now
from shop.shoppers import GUEST_COOKIE
from tests import factories

PATIENCE = 10.0
"""Seconds after which what does not come is missing."""

# Tests and sweeps share one thread for the database, so what a test does there is in line with them.
in_thread = sync_to_async


async def until(condition: Callable[[], Any]) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  the condition knows no event
            await asyncio.sleep(0.01)


class Closed(AssertionError):
    """The server closed the socket while more was awaited."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A fragment as it arrived."""

    text: str

    @property
    def key(self) -> str:
        return self._find(r'\bid="((?:order|payment|row|stock)-[^"]+)"')

    @property
    def target(self) -> str:
        return self._find(r'hx-target="([^"]+)"')

    @property
    def version(self) -> int:
        return int(self._find(r'data-version="(\d+)"'))

    @property
    def status(self) -> str:
        return self._find(r'data-payment-status="(\w+)"')

    def _find(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        return found[1] if found else ""


class Socket:
    """One connection. `frames` are the fragments that came, in order; `code` is the close code, if it closed.

    `room` is how many messages fit on the line before the sender has to wait; 0 means any number.
    """

    def __init__(self, address: str, cookies: str, origin: str | None, room: int = 0) -> None:
        url = urlsplit(address)
        headers = {b"cookie": cookies.encode()} if cookies else {}
        if origin is not None:
            headers[b"origin"] = origin.encode()
        scope = {
            "type": "websocket",
            "path": unquote(url.path),
            "query_string": url.query.encode(),
            "headers": list(headers.items()),
            "subprotocols": [],
        }
        self.frames: list[Frame] = []
        self.code: int | None = None
        self._line = ApplicationCommunicator(application, scope)
        self._line._output_queue = asyncio.Queue(room)

    async def opens(self) -> bool:
        """Whether the handshake is answered with yes."""
        await self._line.send_input({"type": "websocket.connect"})
        answer = await self._line.receive_output(PATIENCE)
        return bool(answer["type"] == "websocket.accept")

    async def send(self, **message: Any) -> None:
        """What no page of ours does."""
        await self._line.send_input({"type": "websocket.receive", **message})

    async def goes(self) -> None:
        """The browser leaves the page, or loses it."""
        await self._line.send_input({"type": "websocket.disconnect", "code": 1006})
        await self._line.wait(PATIENCE)

    async def word(self, after: float = 0) -> float:
        """The `as_of` of the next word that is later than `after`: all that was news then has come."""
        word = await self._find(lambda message: isinstance(message, float) and message > after)
        assert isinstance(word, float)
        return word

    async def frame(self, like: Callable[[Frame], Any] = lambda frame: True) -> Frame:
        """The next fragment that is as wanted."""
        frame = await self._find(lambda message: isinstance(message, Frame) and like(message))
        assert isinstance(frame, Frame)
        return frame

    async def closes(self) -> int:
        """The code with which the server closes it. What comes before goes to `frames`."""
        with suppress(Closed):
            await self._find(lambda message: False)
        assert self.code is not None
        return self.code

    async def patrolled(self) -> None:
        """Wait until a patrol that began after this call has brought all that it had to bring."""
        now = await in_thread(database_now)()
        await self.word(after=now.timestamp())

    @property
    def silent(self) -> bool:
        """Nothing has come that was not looked at."""
        return bool(self._line.output_queue.empty())

    async def _find(self, wanted: Callable[[Frame | float], Any]) -> Frame | float:
        """The first message that is wanted."""
        async with asyncio.timeout(PATIENCE):
            while not wanted(message := await self._next()):
                pass
        return message

    async def _next(self) -> Frame | float:
        message = await self._line.receive_output(2 * PATIENCE)
        if message["type"] == "websocket.close":
            self.code = message["code"]
            raise Closed(f"closed with {self.code}")
        assert message["type"] == "websocket.send"
        if message["text"].startswith("{"):
            return float(json.loads(message["text"])["as_of"])
        self.frames.append(Frame(message["text"]))
        return self.frames[-1]


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was rendered, with what its browser needs to open its socket."""

    html: str
    address: str
    cookies: str

    @classmethod
    async def load(cls, client: Client, path: str = "/") -> Self:
        response = await in_thread(client.get)(path)
        assert response.status_code == 200
        text = response.content.decode()
        address = re.search(r'hx-ws:connect="([^"]+)"', text)
        assert address is not None
        return cls(text, html.unescape(address[1]), cookies_of(client))

    def socket(self, **differently: Any) -> Socket:
        """A socket that is still to be opened, as the page would or otherwise."""
        return Socket(
            **{"address": self.address, "cookies": self.cookies, "origin": settings.PUBLIC_URL} | differently
        )

    async def connect(self, **differently: Any) -> Socket:
        """An open socket; what it missed may still be on its way."""
        socket = self.socket(**differently)
        assert await socket.opens()
        return socket

    async def go_live(self, **differently: Any) -> Socket:
        """An open socket that has been greeted: `frames` starts with what the greeting brought."""
        socket = await self.connect(**differently)
        await socket.word()
        return socket


def cookies_of(client: Client) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items() if morsel.value)


async def an_order(shopper: Client, *cart: tuple[Product, int]) -> Order:
    """A pending order of the browser's shopper."""
    if GUEST_COOKIE not in shopper.cookies:
        await in_thread(shopper.get)("/")
    return await in_thread(factories.order)(factories.shopper_of(shopper), *cart)


def row(order: Order) -> str:
    """The id of its row in staff's list."""
    return f"row-{order.public_id}"


async def as_pushed(order: Order) -> list[Fragment]:
    """What is hurried to all processes as the order now is: first for its own page."""
    return await in_thread(lambda: list(order_fragments(Order.objects.in_full([order.pk])[0])))()


async def live(client: Client, path: str = "/") -> Socket:
    """A page's socket, opened and greeted."""
    return await (await Page.load(client, path)).go_live()


class Queries:
    """Counts the statements that the sweep and the test itself send to the database.

    async with Queries() as queries: …; queries.count
    """

    count = 0

    async def __aenter__(self) -> Self:
        await in_thread(lambda: connection.execute_wrappers.append(self._see))()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await in_thread(lambda: connection.execute_wrappers.remove(self._see))()

    def _see(self, execute: Callable[..., Any], *statement: Any) -> Any:
        self.count += 1
        return execute(*statement)
