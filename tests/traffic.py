"""What goes on at a shop while something is done to it: page loads, checkouts and Stripe's webhooks."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import httpx

from sandbox.shoppers.pages import Page
from tests import stripe_events
from tests.local_stripe import GOOD_CARD, eventually
from tests.stack import Stack

ENDLESS = "door-chime"
"""The product that never sells out."""


class Browser:
    """A new shopper's, without JavaScript."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.client.close()

    def load(self, path: str = "/") -> httpx.Response:
        return self.client.get(path)

    def check_out(self) -> httpx.Response:
        """Press Buy with an endless thing in the cart. The answer should be 303, to Stripe's page."""
        answer = self.load()
        form = Page(str(answer.url), answer.status_code, answer.text).form("buy")
        assert form is not None
        fields = {name: "0" if name.startswith("quantity-") else value for name, value in form.fields.items()}
        return self.client.post(
            form.action, data=fields | {f"quantity-{ENDLESS}": "1"}, headers={"Origin": self.origin}
        )

    def pay(self, payment_page: str) -> httpx.Response:
        """Fill in Stripe's page with a good card, and come back to the shop: the order's own page."""
        answer = self.client.get(payment_page)
        form = Page(str(answer.url), answer.status_code, answer.text).form("payment-form")
        assert form is not None
        card = {"method": "card", "cardNumber": GOOD_CARD, "cardExpiry": "12 / 34", "cardCvc": "123"}
        who = {"email": "ada@example.com", "billingName": "Ada Lovelace"}
        return self.client.post(form.action, data=form.fields | card | who, follow_redirects=True)

    @property
    def origin(self) -> str:
        return str(self.client.base_url).rstrip("/")


def send_webhook(shop: Stack, event: dict[str, Any] | None = None) -> httpx.Response:
    """One that concerns no order, unless it is given."""
    event = event or stripe_events.event("customer.created", {"id": f"cus_{uuid.uuid4().hex}"})
    body, headers = stripe_events.signed(event, secret=shop.env["STRIPE_WEBHOOK_SECRET"])
    return httpx.post(
        f"{shop.url}/stripe-webhook/", content=body, headers=headers, trust_env=False, timeout=30
    )


class Traffic:
    """`with Traffic(shop) as traffic:` lets all three go on until the end of the block.

    `troubles` is what was not answered as it should be; `events` are the ids of those that were answered 200.
    """

    def __init__(self, shop: Stack) -> None:
        self.shop = shop
        self.done: Counter[str] = Counter()
        self.troubles: list[str] = []
        self.events: set[str] = set()
        self._over = threading.Event()
        kinds = {"page": self._page, "webhook": self._webhook, "checkout": self._checkout}
        self._threads = [threading.Thread(target=self._go_on, args=kind) for kind in kinds.items()]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self, times: int = 5) -> None:
        """Wait until each of the three has been answered so many times more."""
        before = self.done.copy()
        eventually(
            lambda: all(self.done[kind] - before[kind] >= times for kind in ("page", "webhook", "checkout")),
            60,
        )

    def _go_on(self, kind: str, once: Callable[[], int]) -> None:
        wanted = 303 if kind == "checkout" else 200
        while not self._over.is_set():
            started = time.monotonic()
            try:
                status = once()
            except (httpx.HTTPError, AssertionError) as error:
                self._note(kind, repr(error), started)
            else:
                if status != wanted:
                    self._note(kind, str(status), started)
            self.done[kind] += 1

    def _note(self, kind: str, what: str, started: float) -> None:
        self.troubles.append(f"{kind}: {what} after {time.monotonic() - started:.1f} s")

    def _page(self) -> int:
        with Browser(self.shop.url) as browser:
            return browser.load().status_code

    def _checkout(self) -> int:
        with Browser(self.shop.url) as browser:
            return browser.check_out().status_code

    def _webhook(self) -> int:
        event = stripe_events.event("customer.created", {"id": f"cus_{uuid.uuid4().hex}"})
        status = send_webhook(self.shop, event).status_code
        if status == 200:
            self.events.add(event["id"])
        return status
