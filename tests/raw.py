"""A client that says to the web process what no browser would, byte for byte."""

import html
import re
import socket
from contextlib import suppress
from typing import Any, Self

import httpx
from websockets.sync.client import ClientConnection, connect

PATIENCE = 20.0
"""Seconds after which an answer is missing."""


class Line:
    """A TCP connection. `room` is how many bytes its receiver's buffer holds; 0 means as many as usual."""

    def __init__(self, port: int, room: int = 0) -> None:
        self.socket = socket.socket()
        if room:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.socket.close()

    def say(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def hear(self, until: bytes = b"\r\n\r\n") -> bytes:
        """What comes, up to `until` or the end of the line."""
        heard = b""
        while until not in heard and (more := self._more()):
            heard += more
        return heard

    def hear_out(self) -> bytes:
        """What comes until the server hangs up."""
        heard = b""
        while more := self._more():
            heard += more
        return heard

    def _more(self) -> bytes:
        with suppress(ConnectionError):
            return self.socket.recv(65536)
        return b""


class Visit:
    """The shop page, loaded by a new browser."""

    def __init__(self, url: str) -> None:
        with httpx.Client(trust_env=False) as client:
            page = client.get(url).text
            self.cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        address = re.search(r'hx-ws:connect="([^"]+)"', page)
        assert address is not None
        self.address = html.unescape(address[1])
        self.url = url

    def connect(self, address: str = "", **differently: Any) -> ClientConnection:
        """As a browser, which reads what comes and answers pings by itself."""
        options = {"origin": self.url, "additional_headers": {"Cookie": self.cookies}}
        url = self.url.replace("http", "ws", 1) + (address or self.address)
        return connect(url, proxy=None, open_timeout=10, **options | differently)

    def open(self, room: int = 0) -> Line:
        """The same by hand: an open socket that reads and answers nothing unless it is told to."""
        line = Line(int(self.url.rpartition(":")[2]), room)
        assert b" 101 " in line.say(handshake(self.address, self.url, self.cookies)).hear()
        return line


def handshake(address: str, origin: str, cookies: str = "", **others: str) -> bytes:
    """A socket's request. `others` are more headers, or others."""
    headers = {
        "Host": origin.partition("//")[2],
        "Origin": origin,
        "Cookie": cookies or "a=b",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **{name.replace("_", "-"): value for name, value in others.items()},
    }
    lines = [f"GET {address} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
