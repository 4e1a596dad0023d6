import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import httpx

from sandbox.stripe import endpoints, ledger
from sandbox.stripe.signing import signature_header
from sandbox.stripe.store import Store

TIMEOUT_SECONDS = 10
AT_ONCE = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One attempt to hand one event to one endpoint. `damaged` goes out in place of the signed body."""

    event_id: str
    url: str
    body: str
    damaged: bytes | None = None


# Makes the attempt and tells what came back: "200", or the name of what went wrong.
Send = Callable[[Delivery], Awaitable[str]]


class Post:
    """Carries every event to every endpoint that is switched on, until each has answered with 2xx.

    The rows of `ledger` are the truth and this is only the hand that works them off, so a process that is
    killed between a commit and a delivery, or between a delivery and its answer, goes on where it was.
    """

    def __init__(self, store: Store, urls: Iterable[str], gaps: tuple[float, ...], send: Send) -> None:
        self._store = store
        self._couriers = [_Courier(store, url, gaps, send, self._heard) for url in urls]
        self._answer = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for courier in self._couriers:
                tasks.create_task(courier.run())

    def wake(self) -> None:
        """There is something new in the ledger, or an endpoint was switched."""
        for courier in self._couriers:
            courier.wake.set()
        self._heard()

    async def heard_everywhere(self, event_id: str, seconds: float) -> None:
        """Wait until all that are on were heard about an event, whatever they said, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while ledger.untried(self._store, event_id):
                    await self._answer.wait()

    def _heard(self) -> None:
        # A fresh Event each time wakes all who wait now and none who come later.
        self._answer.set()
        self._answer = asyncio.Event()


class _Courier:
    """One endpoint's deliveries, some at once, so that an endpoint that hangs delays no other."""

    def __init__(
        self,
        store: Store,
        url: str,
        gaps: tuple[float, ...],
        send: Send,
        heard: Callable[[], None],
    ) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._url = url
        self._gaps = gaps
        self._send = send
        self._heard = heard
        self._busy: set[str] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                self.wake.clear()
                waiting = self._start_due(tasks)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), waiting)

    def _start_due(self, tasks: asyncio.TaskGroup) -> float | None:
        """Starts what is due; returns the seconds until the next is, None when only a wake can bring work."""
        if not endpoints.is_enabled(self._store, self._url):
            return None
        for due in ledger.due(self._store, self._url, limit=2 * AT_ONCE):
            if due.event_id in self._busy:
                continue
            if len(self._busy) >= AT_ONCE:
                return None
            if due.moment > time.time():
                return due.moment - time.time()
            self._busy.add(due.event_id)
            tasks.create_task(self._deliver(due.event_id))
        return None

    async def _deliver(self, event_id: str) -> None:
        started = time.monotonic()
        event = self._store.get("event", event_id)
        event["pending_webhooks"] = ledger.pending(self._store, event_id)
        body = json.dumps(event, indent=2, ensure_ascii=False)
        outcome = await self._send(Delivery(event_id, self._url, body))
        logger.info(
            "%s %s to %s: %s in %.0f ms",
            event_id,
            event["type"],
            self._url,
            outcome,
            (time.monotonic() - started) * 1000,
        )
        self._book(event_id, outcome)
        self._busy.discard(event_id)
        self.wake.set()
        self._heard()

    def _book(self, event_id: str, outcome: str) -> None:
        with self._store.transaction():
            if outcome.startswith("2"):
                ledger.settle(self._store, event_id, self._url, outcome)
            else:
                tried = ledger.attempts(self._store, event_id, self._url)
                gap = self._gaps[min(tried, len(self._gaps) - 1)]
                ledger.postpone(self._store, event_id, self._url, outcome, gap)


def sender(client: httpx.AsyncClient, store: Store) -> Send:
    """One POST, signed at that moment. A redirect is an answer like any other that is not 2xx."""

    async def send(delivery: Delivery) -> str:
        if not endpoints.is_enabled(store, delivery.url):
            return "switched off"  # since the attempt began
        secrets = endpoints.signing(store, delivery.url)
        content = delivery.body.encode() if delivery.damaged is None else delivery.damaged
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+local)",
            "Stripe-Signature": signature_header(delivery.body, secrets, int(time.time())),
        }
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                response = await client.post(delivery.url, content=content, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            return type(error).__name__
        return str(response.status_code)

    return send
