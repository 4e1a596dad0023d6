"""Stripe's API as fast as Python answers: nothing is kept, every object follows from its id.

So whatever is measured beside it waits for itself and not for Stripe, and what it asks for is counted.
"""

import asyncio
import contextlib
import json
import re
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sandbox.ports import free_port
from sandbox.processes import Process, answers
from sandbox.stripe.objects.payment_intent import new_payment_intent
from sandbox.stripe.objects.session import customer_details, new_session

AMOUNT, CURRENCY = 2500, "eur"
"""Of every session: what an order has to come to."""
STATES = ("paid", "open", "expired")
COUNTS = "/counts"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stub:
    origin: str

    def counts(self) -> Counter[str]:
        """Requests so far, by method and path, for example `GET /v1/payment_intents/:id`."""
        with urllib.request.urlopen(self.origin + COUNTS) as answer:  # noqa: S310  our own address
            return Counter(json.load(answer))


@contextlib.contextmanager
def stripe_stub() -> Iterator[Stub]:
    """One in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "bench.stripe_stub", str(port)]
    with tempfile.TemporaryDirectory(prefix="shopbell-bench-") as logs:
        process = Process("stripe-stub", command, logs=Path(logs)).start()
        try:
            process.wait_until(answers(f"http://127.0.0.1:{port}{COUNTS}"))
            yield Stub(f"http://127.0.0.1:{port}")
        finally:
            process.stop()


def session_id(state: str, public_id: UUID) -> str:
    """`state` is one of STATES, `public_id` the order's."""
    return f"cs_test_{state}_{public_id.hex}"


def session(state: str, public_id: UUID) -> Json:
    """The Checkout Session of that id, with all the fields that Stripe's have."""
    params: Json = {"client_reference_id": str(public_id), "metadata": {"public_id": str(public_id)}}
    params |= {"success_url": "https://shop.example/", "cancel_url": "https://shop.example/"}
    made = new_session(params, AMOUNT, CURRENCY, int(time.time()), "https://checkout.example", "Shopbell")
    made["id"] = session_id(state, public_id)
    if state == "paid":
        made |= {"status": "complete", "payment_status": "paid", "payment_intent": f"pi_{public_id.hex}"}
        made["customer_details"] = customer_details("ada@example.com", "Ada")
    if state == "expired":
        made["status"] = "expired"
    return made


# --- the process ----------------------------------------------------------------------------------

_NOBODY = UUID(int=0)


class Api(asyncio.Protocol):
    """HTTP by hand: one request after another on a kept-open connection; bodies are not read."""

    counts: Counter[str] = Counter()
    _pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end]
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            after = end + 4 + (int(length[1]) if length else 0)
            if len(self._pending) < after:
                return
            self._pending = self._pending[after:]
            method, address, _ = head.partition(b"\r\n")[0].decode().split()
            self._transport.write(self._answer(method, address.partition("?")[0]))

    def _answer(self, method: str, path: str) -> bytes:
        if path == COUNTS:
            return _respond("200 OK", json.dumps(self.counts).encode())
        collection, _, name = path.rpartition("/")
        kind, public_id = path[:-32], path[-32:]
        if (template := TEMPLATES.get(kind)) and re.fullmatch("[0-9a-f]{32}", public_id):
            self.counts[f"{method} {collection}/:id"] += 1
            body = template.replace(_NOBODY.hex.encode(), public_id.encode())
            return _respond("200 OK", body.replace(str(_NOBODY).encode(), str(UUID(public_id)).encode()))
        self.counts[f"{method} {path}"] += 1
        return _respond("200 OK", TEMPLATES[path]) if path in TEMPLATES else _missing(name)


def _respond(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Request-Id: req_bench\r\n\r\n".encode() + body


def _missing(name: str) -> bytes:
    error = {"type": "invalid_request_error", "code": "resource_missing", "message": f"No such thing: {name}"}
    return _respond("404 Not Found", json.dumps({"error": error}).encode())


def _templates() -> dict[str, bytes]:
    """By path, or by what stands in it before the 32 digits: what is answered, for order _NOBODY."""
    objects = {f"/v1/checkout/sessions/cs_test_{state}_": session(state, _NOBODY) for state in STATES}
    objects["/v1/payment_intents/pi_"] = _payment_intent()
    objects["/v1/payment_methods/pm_"] = _payment_method()
    objects["/v1/account"] = {"id": "acct_bench", "object": "account", "country": "DE", "type": "standard"}
    objects["/v1/events"] = {"object": "list", "data": [], "has_more": False, "url": "/v1/events"}
    return {path: json.dumps(thing).encode() for path, thing in objects.items()}


def _payment_intent() -> Json:
    paid: Json = {"status": "succeeded", "amount_received": AMOUNT, "payment_method": f"pm_{_NOBODY.hex}"}
    return new_payment_intent(session("paid", _NOBODY), {}) | paid | {"id": f"pi_{_NOBODY.hex}"}


def _payment_method() -> Json:
    return {
        "id": f"pm_{_NOBODY.hex}",
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": {"address": None, "email": "ada@example.com", "name": "Ada", "phone": None},
        "card": {"brand": "visa", "country": "DE", "exp_month": 12, "exp_year": 2040, "last4": "4242"},
        "created": int(time.time()),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


TEMPLATES = _templates()


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Api, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
