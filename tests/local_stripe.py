"""The local Stripe as tests meet it: a process, spoken to by the official SDK and by a browser's requests."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import stripe
from stripe.checkout import Session

ROOT = Path(__file__).parent.parent
KEY = "sk_test_of_the_tests"
GOOD_CARD, DECLINED_CARD, POOR_CARD = "4242424242424242", "4000 0000 0000 0002", "4000000000009995"
AUTHENTICATED_CARD, AUTHENTICATED_POOR_CARD = "4000002760003184", "4000008260003178"
DISPUTED_CARD, INQUIRED_CARD = "4000000000000259", "4000000000001976"
PENDING_REFUND_CARD, FAILING_REFUND_CARD = "4000000000007726", "4000000000005126"
GOOD_IBAN, FAILING_IBAN = "AT611904300234573201", "AT86 1904 3002 3547 3202"
POOR_IBAN, DISPUTED_IBAN = "AT981904300002222227", "AT591904300235473203"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true value of the condition; fails when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
    return value


class LocalStripe:
    """`with LocalStripe(tmp_path) as local:` serves until the end of the block."""

    def __init__(self, data_dir: Path, **environ: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {"SANDBOX_STRIPE_RETRY_SECONDS": "0.2"} | environ
        self.process: subprocess.Popen[str] | None = None
        # One for all requests: making a client costs more than most of the requests.
        self.browser = httpx.Client(timeout=15)
        self.clients: dict[tuple[str, int], stripe.StripeClient] = {}

    def __enter__(self) -> "LocalStripe":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.browser.close()

    def spawn(self) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"SANDBOX_STRIPE_PORT": str(self.port), "DATA_DIR": str(self.data_dir)}
        command = [sys.executable, "-m", "sandbox.stripe"]
        log = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=kept | own | self.environ, stderr=log, text=True)

    def start(self) -> None:
        self.process = self.spawn()
        eventually(self._serves)

    def kill(self) -> str:
        """Without a chance to tidy up; returns what it had logged."""
        return self._end(subprocess.Popen.kill)

    def terminate(self) -> str:
        return self._end(subprocess.Popen.terminate)

    def client(self, key: str = KEY, retries: int = 0) -> stripe.StripeClient:
        if (key, retries) not in self.clients:
            self.clients[key, retries] = stripe.StripeClient(
                key,
                base_addresses={"api": self.url},
                http_client=stripe.HTTPXClient(timeout=10, allow_sync_methods=True),
                max_network_retries=retries,
            )
        return self.clients[key, retries]

    def checkout(self, **params: Any) -> Session:
        """An open session; `params` replace those of `checkout_params`."""
        return self.client().v1.checkout.sessions.create(checkout_params(**params))

    def pay(self, session: Session, card: str = GOOD_CARD, **fields: str) -> httpx.Response:
        """What a browser posts from the hosted page."""
        typed = {
            "email": "ada@example.com",
            "cardNumber": card,
            "cardExpiry": "12 / 34",
            "cardCvc": "123",
            "billingName": "Ada Lovelace",
        }
        return self.browser.post(self.page(session), data=typed | fields)

    def debit(self, session: Session, iban: str = GOOD_IBAN, **fields: str) -> httpx.Response:
        """The same by bank debit, which the bank decides SANDBOX_STRIPE_DEBIT_SECONDS later."""
        return self.pay(session, "", **{"method": "debit", "iban": iban} | fields)

    def authenticate(self, session: Session, outcome: str = "complete") -> httpx.Response:
        """The answer to 3-D Secure: complete or fail."""
        return self.browser.post(self.page(session) + "/authenticate", data={"outcome": outcome})

    def paid(self, card: str = GOOD_CARD, **params: Any) -> Any:
        """The PaymentIntent of a new session after the pay button, with its charge in it."""
        session = self.checkout(**params)
        self.pay(session, card)
        return self.payment(session)

    def payment(self, session: Session) -> Any:
        """A session's PaymentIntent as it is now, with its charge in it."""
        everything: Any = {"expand": ["payment_intent.latest_charge"]}
        return self.client().v1.checkout.sessions.retrieve(session.id, everything).payment_intent

    def show(self, session: Session) -> httpx.Response:
        return self.browser.get(self.page(session))

    def page(self, session: Session) -> str:
        return f"{self.url}/c/pay/{session.id}"

    def event_types(self) -> list[str]:
        """Oldest first."""
        return [str(event.type) for event in self.client().v1.events.list({"limit": 100}).data][::-1]

    def events_about(self, *ids: str) -> list[str]:
        """The types of the events about the objects of these ids, oldest first."""
        listed = self.client().v1.events.list({"limit": 100}).data
        return [str(event.type) for event in listed if event.data.object["id"] in ids][::-1]

    def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the local Stripe did not start"
        try:
            return self.browser.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def _end(self, how: Callable[[subprocess.Popen[str]], None]) -> str:
        process, self.process = self.process, None
        if process is None:
            return ""
        how(process)
        log: str = process.communicate(timeout=5)[1]
        return log


def checkout_params(**params: Any) -> Any:
    return {
        "mode": "payment",
        "success_url": "http://127.0.0.1:1/thanks?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:1/basket",
        "line_items": [line("Enamel mug", 1250, 2), line("Notebook", 499)],
        **params,
    }


def line(name: str, unit_amount: int, quantity: int = 1, currency: str = "usd") -> Any:
    product = {"name": name, "description": f"A fine {name}", "metadata": {"sku": name[:3]}}
    price = {"currency": currency, "unit_amount": unit_amount, "product_data": product}
    return {"price_data": price, "quantity": quantity}


class Receiver:
    """A shop's webhook. `answers` gives the status for each event; what came is in `received`, in order."""

    def __init__(self, answers: Callable[[Any], int]) -> None:
        self.answers = answers
        self.received: list[tuple[str, dict[str, str], Any]] = []
        self.url = ""

    def of(self, kind: str) -> list[tuple[str, dict[str, str], Any]]:
        return [one for one in self.received if one[2]["type"] == kind]


@contextmanager
def receiving(answers: Callable[[Any], int] = lambda event: 200, port: int = 0) -> Iterator[Receiver]:
    """A receiver on a thread of its own, at `receiver.url`."""
    receiver = Receiver(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length).decode()
            if len(body.encode()) < length:
                return  # the sender was killed in the middle of it
            event = json.loads(body)
            receiver.received.append((body, dict(self.headers), event))
            self.send_response(receiver.answers(event))
            self.send_header("Location", receiver.url + "elsewhere/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
