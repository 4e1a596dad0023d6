"""What a client of the real web process sees: close codes, refusals, and never a traceback in the log."""

import html
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.stack import Stack


@pytest.fixture(autouse=True)
def _no_traceback(stack: Stack) -> Iterator[None]:
    before = stack.daphne.log.stat().st_size
    yield
    assert "Traceback" not in stack.daphne.log.read_text()[before:]


class Visit:
    """The shop page, loaded by a new browser."""

    def __init__(self, stack: Stack) -> None:
        with httpx.Client(trust_env=False) as client:
            page = client.get(stack.url).text
            self.cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        address = re.search(r'hx-ws:connect="([^"]+)"', page)
        assert address is not None
        self.address = html.unescape(address[1])
        self.stack = stack

    def connect(self, address: str = "", **differently: Any) -> ClientConnection:
        options = {"origin": self.stack.url, "additional_headers": {"Cookie": self.cookies}}
        url = self.stack.url.replace("http", "ws", 1) + (address or self.address)
        return connect(url, proxy=None, open_timeout=10, **options | differently)


@pytest.fixture
def visit(stack: Stack) -> Visit:
    return Visit(stack)


def closed(socket: ClientConnection) -> int:
    """The code with which the server closes it; what it sends before is skipped."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=10)
    assert socket.close_code is not None
    return socket.close_code


@pytest.mark.parametrize("frame", ["hello", b"\x00\xff"], ids=["text", "binary"])
def test_a_page_that_says_anything_is_closed_with_1008(visit, frame):
    with visit.connect() as socket:
        socket.recv(timeout=10)
        socket.send(frame)
        assert closed(socket) == 1008


def test_ten_megabytes_are_not_even_read(visit):
    with visit.connect() as socket:
        socket.recv(timeout=10)
        with suppress(ConnectionClosed):
            socket.send("x" * 10_000_000)
        # The line may break before the reason has come through.
        assert closed(socket) in (1009, 1006)


def test_a_page_with_a_false_ticket_is_closed_with_4401(visit):
    with visit.connect("/ws/shop/?ticket=garbage") as socket:
        assert closed(socket) == 4401


def test_the_eleventh_page_is_closed_with_4429(visit):
    with ExitStack() as pages:
        for _ in range(10):
            pages.enter_context(visit.connect()).recv(timeout=10)
        assert closed(pages.enter_context(visit.connect())) == 4429


@pytest.mark.parametrize("origin", [None, "null", "http://shop.example", "http://127.0.0.1:1"])
def test_a_socket_of_another_origin_is_answered_with_403(visit, origin):
    with pytest.raises(InvalidStatus) as refusal:
        visit.connect(origin=origin)
    assert refusal.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/orders/1/", "/stripe-webhook/"])
def test_a_socket_at_an_unknown_address_is_refused(visit, path):
    with pytest.raises(InvalidStatus) as refusal:
        visit.connect(path)
    assert refusal.value.response.status_code == 403
