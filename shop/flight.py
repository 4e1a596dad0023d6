"""How fast a webhook was, and which were refused: measured beside the payment, written down after it.

Gathered in memory and written a few times a second, one statement for all, so that no payment waits for its
own measuring and a flood of forged POSTs does not become a flood of writes. A crash loses what was gathered.
"""

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from time import perf_counter

from django.db import connection, transaction

from shop.signals import webhooks_recorded

log = logging.getLogger(__name__)

INTERVAL = 0.4
"""Seconds from the first news to the statement that writes it."""
MOST_FLIGHTS = 10_000
"""Kept while the database does not take them; more are not measured."""


@dataclass(slots=True)
class Flight:
    """One delivery on its way, by this process's clock in seconds."""

    received: float | None = None
    """When its request came in; None if there was none, and so nothing to measure."""
    committed: float | None = None

    def board(self) -> None:
        """Inside of its transaction: note the commit, before everybody else who waits for that."""
        if self.received is not None:
            transaction.on_commit(self._commit)

    def _commit(self) -> None:
        self.committed = perf_counter()

    def land(self, event_id: str) -> None:
        """All who wait for the commit have been told. Nothing is measured of what was no news."""
        if self.received is None or self.committed is None:
            recorder.tell()
        else:
            now = perf_counter()
            recorder.record(event_id, self.committed - self.received, now - self.committed)


class Recorder:
    """Of one process. Announces webhooks_recorded when something was written."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._flights: dict[str, tuple[float, float]] = {}
        self._refused: Counter[str] = Counter()
        self._timer: threading.Timer | None = None

    def record(self, event_id: str, commit_seconds: float, push_seconds: float) -> None:
        with self._lock:
            if len(self._flights) < MOST_FLIGHTS:
                self._flights[event_id] = commit_seconds, push_seconds
            self._write_soon()

    def refuse(self, reason: str) -> None:
        with self._lock:
            self._refused[reason] += 1
            self._write_soon()

    def tell(self) -> None:
        """There is news without a measurement: a repeated delivery, a replay."""
        with self._lock:
            self._write_soon()

    def close(self) -> None:
        """What is not yet written is lost."""
        with self._lock:
            if self._timer:
                self._timer.cancel()

    def _write_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._interval, self._write)
            self._timer.daemon = True
            self._timer.start()

    def _write(self) -> None:
        with self._lock:
            flights, self._flights = self._flights, {}
            refused, self._refused = self._refused, Counter()
            self._timer = None
        try:
            if flights:
                _write_flights(flights)
            if refused:
                _write_refused(refused)
            webhooks_recorded.send_robust(sender=None)
        except Exception as error:  # noqa: BLE001  on a thread of its own: nobody else would say so
            log.warning("%s webhooks are not measured: %s", len(flights), type(error).__name__)
        finally:
            connection.close()


recorder = Recorder()


def _write_flights(flights: dict[str, tuple[float, float]]) -> None:
    commits, pushes = zip(*flights.values(), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_FLIGHTS, [list(flights), list(commits), list(pushes)])


def _write_refused(refused: Counter[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_REFUSED, [list(refused), list(refused.values())])


_FLIGHTS = """
UPDATE shop_stripeevent SET commit_seconds = flight.commit, push_seconds = flight.push
FROM unnest(%s::text[], %s::float8[], %s::float8[]) AS flight (id, commit, push)
WHERE shop_stripeevent.id = flight.id
"""
_REFUSED = """
INSERT INTO shop_refuseddelivery AS so_far (hour, reason, count)
SELECT date_trunc('hour', now()), reason, count
FROM unnest(%s::text[], %s::int[]) AS new (reason, count)
ON CONFLICT (hour, reason) DO UPDATE SET count = so_far.count + excluded.count
"""
