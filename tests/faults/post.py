"""The way of a webhook: from Stripe, through here, to the shop, each with what the shop answered.

Stripe itself duplicates, reorders and damages what it sends (its chaos switch); here a few are held back for
a month, a few get lost for good, and whole stretches for a while.
"""

import asyncio
import contextlib
import hashlib
import hmac
import http.client
import io
import json
import time
from random import Random
from typing import Any

from tests.faults.history import History

A_MONTH = 30 * 86400  # seconds
CHANGING = ("charge.dispute", "refund", "checkout.session")
"""Types of events about what goes on changing after them."""
MOST_AGAIN = 500
PATIENCE = 10.0
"""Seconds that Stripe waits for an answer."""
LAST_TRIES = 60.0
"""Seconds in which what is late has to be taken."""


class Post:
    """Listens at `port` for the local Stripe; delivers to the shop's front door at `shop_port`."""

    def __init__(self, port: int, shop_port: int, secret: str, history: History, dice: Random) -> None:
        self.port = port
        self.deliveries = 0
        self.is_off = False
        self.month_late = 0.0
        """Which part of the events is held back."""
        self.lost_for_good = 0.0
        """Which part of those that change something is never delivered, however often Stripe tries."""
        self.lost: set[str] = set()
        self._taken: list[bytes] = []
        self._answered: set[str] = set()
        self._shop_port = shop_port
        self._secret = secret
        self._history = history
        self._dice = dice
        self._held: dict[str, bytes] = {}
        self._tried: set[str] = set()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._server: asyncio.Server | None = None
        self._callers: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for writer in [*self._callers, *(writer for _, writer in self._idle)]:
            writer.transport.abort()
        await asyncio.gather(*filter(None, self._callers.values()), return_exceptions=True)

    async def deliver_what_is_late(self) -> None:
        """A month after it happened, says its date. What the shop does not take for a minute breaks A."""
        gives_up = time.monotonic() + LAST_TRIES
        while self._held and time.monotonic() < gives_up:
            event_id = next(iter(self._held))
            event = json.loads(self._held[event_id])
            event["created"] -= A_MONTH
            body = json.dumps(event).encode()
            if await self._deliver(body, self._sign(body)) == 200:
                del self._held[event_id]
            else:
                await asyncio.sleep(0.2)
        for event_id in self._held:
            self._history.violation("A", f"{event_id}, a month late, was never taken")

    async def deliver_again(self) -> None:
        """What tells of things that have changed since, when nobody expects it any more."""
        for body in self._dice.sample(self._taken, min(len(self._taken), MOST_AGAIN)):
            await self._deliver(body, self._sign(body))

    def _sign(self, body: bytes) -> bytes:
        """https://docs.stripe.com/webhooks#verify-manually"""
        now = b"%d" % time.time()
        return b"t=%s,v1=%s" % (now, self._mac(now, body).encode())

    def _mac(self, signed_at: bytes, body: bytes) -> str:
        return hmac.new(self._secret.encode(), signed_at + b"." + body, hashlib.sha256).hexdigest()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers[writer] = asyncio.current_task()
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    headers, body = await _message(reader)
                    status = await self._take(body, headers["Stripe-Signature"].encode())
                    writer.write(b"HTTP/1.1 %d -\r\nContent-Length: 0\r\n\r\n" % status)
                    await writer.drain()
        finally:
            writer.transport.abort()
            del self._callers[writer]

    async def _take(self, body: bytes, signature: bytes) -> int:
        if self.is_off:
            self._history.note("lost on the way", event=_event(body).get("id"))
            return 502
        event = _event(body) if self._is_genuine(body, signature) else {}
        if event and not self._is_known(event):
            self._decide_about(event, body)
        if event.get("id") in self._held:
            return 200
        if event.get("id") in self.lost:
            return 502
        return await self._deliver(body, signature) or 502

    def _decide_about(self, event: dict[str, Any], body: bytes) -> None:
        luck = self._dice.random()
        if luck < self.month_late:
            self._held[event["id"]] = body
            self._history.note("held back", event=event["id"], type=event["type"])
        # Nobody asks Stripe for events of other types, and nobody needs them.
        elif luck < self.month_late + self.lost_for_good and event["type"].startswith(CHANGING):
            self.lost.add(event["id"])
            self._history.note("lost for good", event=event["id"], type=event["type"])

    def _is_genuine(self, body: bytes, signature: bytes) -> bool:
        signed_at = signature.partition(b",")[0].removeprefix(b"t=")
        return self._mac(signed_at, body).encode() in signature

    def _is_known(self, event: dict[str, Any]) -> bool:
        # Once tried, it goes its way.
        known = event["id"] in self._tried
        self._tried.add(event["id"])
        return known

    async def _deliver(self, body: bytes, signature: bytes) -> int:
        """The status; 0 if nobody answered."""
        since, status = self._history.now(), 0
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(PATIENCE):
                status = await self._ask(body, signature)
        event, genuine = _event(body), self._is_genuine(body, signature)
        if status == 200 and event.get("type", "").startswith(CHANGING):
            self._taken.append(body)
        if status == 200 and not genuine:
            self._history.violation("A", f"a damaged delivery was answered with {status}")
        self.deliveries += 1
        what = "delivery" if genuine else "damaged delivery"
        if status == 200 and genuine:
            self._history.counts["repeated delivery"] += event["id"] in self._answered
            self._answered.add(event["id"])
        self._history.note_asked(
            what, "delivery", since, event=event.get("id"), type=event.get("type"), status=status
        )
        return status

    async def _ask(self, body: bytes, signature: bytes) -> int:
        head = (
            b"POST /stripe-webhook/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nStripe-Signature: %s\r\n\r\n" % (self._shop_port, len(body), signature)
        )
        reader, writer = await self._connection()
        try:
            writer.write(head + body)
            status, stays = await _answer(reader)
        except BaseException:
            writer.transport.abort()
            raise
        if stays:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return status

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
        return await asyncio.open_connection("127.0.0.1", self._shop_port)


async def _message(reader: asyncio.StreamReader) -> tuple[http.client.HTTPMessage, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    headers = http.client.parse_headers(io.BytesIO(head.partition(b"\r\n")[2]))
    return headers, await reader.readexactly(int(headers["Content-Length"]))


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Its status, and whether the connection may be used again."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    headers = http.client.parse_headers(io.BytesIO(rest))
    await reader.readexactly(int(headers["Content-Length"]))
    return int(first.split()[1]), headers.get("Connection", "").lower() != "close"


def _event(body: bytes) -> dict[str, Any]:
    """Empty if it was damaged on the way."""
    try:
        event = json.loads(body)
    except ValueError:
        return {}
    return event if isinstance(event, dict) and isinstance(event.get("id"), str) else {}
