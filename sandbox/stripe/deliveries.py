import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx

from sandbox.stripe import ledger
from sandbox.stripe.config import Endpoint
from sandbox.stripe.signing import signature_header
from sandbox.stripe.store import Store

TIMEOUT_SECONDS = 10
AT_ONCE = 8

logger = logging.getLogger(__name__)

# Delivers one signed body and tells what came back: "200", or the name of what went wrong.
Send = Callable[[Endpoint, str], Awaitable[str]]


class Post:
    """Carries every event to every endpoint until each has answered with 2xx.

    The rows of `ledger` are the truth and this is only the hand that works them off, so a process that is
    killed between a commit and a delivery, or between a delivery and its answer, goes on where it was.
    """

    def __init__(
        self, store: Store, endpoints: tuple[Endpoint, ...], gaps: tuple[float, ...], send: Send
    ) -> None:
        self._store = store
        self._couriers = [_Courier(store, endpoint, gaps, send, self._heard) for endpoint in endpoints]
        self._answer = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for courier in self._couriers:
                tasks.create_task(courier.run())

    def wake(self) -> None:
        """There is something new in the ledger."""
        for courier in self._couriers:
            courier.wake.set()

    async def heard_everywhere(self, event_id: str, seconds: float) -> None:
        """Wait until every endpoint was heard about an event, whatever it said, or until the time is over."""
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
        endpoint: Endpoint,
        gaps: tuple[float, ...],
        send: Send,
        heard: Callable[[], None],
    ) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._endpoint = endpoint
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
        for due in ledger.due(self._store, self._endpoint.url, limit=2 * AT_ONCE):
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
        outcome = await self._send(self._endpoint, json.dumps(event, indent=2, ensure_ascii=False))
        logger.info(
            "%s %s to %s: %s in %.0f ms",
            event_id,
            event["type"],
            self._endpoint.url,
            outcome,
            (time.monotonic() - started) * 1000,
        )
        self._book(event_id, outcome)
        self._busy.discard(event_id)
        self.wake.set()
        self._heard()

    def _book(self, event_id: str, outcome: str) -> None:
        url = self._endpoint.url
        with self._store.transaction():
            if outcome.startswith("2"):
                ledger.settle(self._store, event_id, url, outcome)
            else:
                tried = ledger.attempts(self._store, event_id, url)
                gap = self._gaps[min(tried, len(self._gaps) - 1)]
                ledger.postpone(self._store, event_id, url, outcome, gap)


def sender(client: httpx.AsyncClient) -> Send:
    """One POST, signed at that moment. A redirect is an answer like any other that is not 2xx."""

    async def send(endpoint: Endpoint, body: str) -> str:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+local)",
            "Stripe-Signature": signature_header(body, endpoint.secrets, int(time.time())),
        }
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                response = await client.post(endpoint.url, content=body.encode(), headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            return type(error).__name__
        return str(response.status_code)

    return send
