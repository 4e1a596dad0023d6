"""A bad line between the shop and the local Stripe.

It does to one request after the other what a test tells it to, and lets through all that come after.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from shop.models import Order
from tests.local_stripe import LocalStripe

PATIENCE = 60  # seconds: more than any of this takes, however busy the machine is

ERRORS = {
    409: "idempotency_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
}


class BadLine:
    """`next_come(…)`: an HTTP status to answer with, "cut" after Stripe has done it, or "silence"."""

    def __init__(self, stripe: LocalStripe) -> None:
        self.stripe = stripe
        self.troubles: list[Any] = []
        self.broken_keys: set[str] = set()
        """Idempotency keys under which Stripe has stored a 500."""
        self.asked: list[tuple[str, str]] = []
        """What came through or not: method and idempotency key."""
        self.over = threading.Event()
        self.url = ""

    def next_come(self, *troubles: Any) -> None:
        self.troubles.extend(troubles)

    def sessions_of(self, order: Order) -> list[Any]:
        every = self.stripe.client().v1.checkout.sessions.list({"limit": 100}).data
        return [session for session in every if session.client_reference_id == str(order.public_id)]


def handler(line: BadLine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = self.headers.get("Idempotency-Key", "")
            line.asked.append((self.command, key))
            trouble = line.troubles.pop(0) if line.troubles else None
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if trouble == "silence":
                line.over.wait(PATIENCE)
                self.close_connection = True
            elif isinstance(trouble, int):
                if trouble == 500:
                    line.broken_keys.add(key)
                self.answer(trouble)
            elif key and key in line.broken_keys:
                self.answer(500)
            else:
                passed = ("Authorization", "Content-Type", "Idempotency-Key")
                headers = {name: self.headers[name] for name in passed if name in self.headers}
                answer = httpx.request(
                    self.command, line.stripe.url + self.path, content=body, headers=headers, timeout=10
                )
                if trouble == "cut":
                    self.close_connection = True
                else:
                    self.answer(answer.status_code, answer.content)

        do_POST = do_GET  # noqa: N815  the name is http.server's

        def answer(self, status: int, body: bytes = b"") -> None:
            body = (
                body
                or b'{"error": {"type": "%s", "message": "Not now."}}'
                % ERRORS.get(status, "api_error").encode()
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Tests print nothing."""

    return Handler


@contextmanager
def bad_line(stripe: LocalStripe) -> Iterator[BadLine]:
    """A line at `line.url`."""
    line = BadLine(stripe)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(line))
    line.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield line
    line.over.set()
    server.shutdown()
    server.server_close()
    thread.join()
