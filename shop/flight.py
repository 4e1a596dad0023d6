"""How fast a webhook was, and which were refused: measured beside the payment, written down after it.

Gathered in memory and written a few times a second, one statement for all, so that no payment waits for its
own measuring and a flood of forged POSTs does not become a flood of writes. A crash loses what was gathered.
"""

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter

from django.db import connection, transaction

from shop.signals import webhooks_recorded

log = logging.getLogger(__name__)

INTERVAL = 0.4
"""Seconds from the first news, or from the write before, to the one that writes it."""
MOST_FLIGHTS = 10_000
"""Gathered while one write waits for the database; more are not measured."""


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


@dataclass(slots=True)
class _Batch:
    """What one transaction writes."""

    flights: dict[str, tuple[float, float]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    too_many: int = 0

    def write(self) -> None:
        """In order, so that two processes never wait for each other."""
        with transaction.atomic(), connection.cursor() as cursor:
            if self.flights:
                ids = sorted(self.flights)
                commits, pushes = zip(*(self.flights[event_id] for event_id in ids), strict=True)
                cursor.execute(_FLIGHTS, [ids, list(commits), list(pushes)])
            if self.refused:
                reasons = sorted(self.refused)
                cursor.execute(_REFUSED, [reasons, [self.refused[reason] for reason in reasons]])


class Recorder:
    """Of one process. Announces webhooks_recorded when something was written."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._batch: _Batch | None = None
        self._timer: threading.Timer | None = None
        """Until it has written: more than one would take the connections that payments need."""

    def record(self, event_id: str, commit_seconds: float, push_seconds: float) -> None:
        with self._lock:
            batch = self._gather()
            if len(batch.flights) < MOST_FLIGHTS:
                batch.flights[event_id] = commit_seconds, push_seconds
            else:
                batch.too_many += 1

    def refuse(self, reason: str) -> None:
        with self._lock:
            self._gather().refused[reason] += 1

    def tell(self) -> None:
        """There is news without a measurement: a repeated delivery, a replay."""
        with self._lock:
            self._gather()

    def close(self) -> None:
        """What is not yet written is lost."""
        with self._lock:
            self._batch = None
            if self._timer:
                self._timer.cancel()

    def _gather(self) -> _Batch:
        self._batch = self._batch or _Batch()
        self._write_soon()
        return self._batch

    def _write_soon(self) -> None:
        if self._timer is None:
            timer = threading.Timer(self._interval, self._write)
            timer.daemon = True
            timer.start()
            self._timer = timer

    def _write(self) -> None:
        with self._lock:
            batch, self._batch = self._batch or _Batch(), None
        try:
            _write(batch)
        finally:
            try:
                connection.close()
            finally:  # or nothing would ever be written again
                with self._lock:
                    self._timer = None
                    if self._batch:
                        self._write_soon()


recorder = Recorder()


def _write(batch: _Batch) -> None:
    try:
        batch.write()
    except Exception as error:  # noqa: BLE001  on a thread of its own: nobody else would say so
        lost, refused = len(batch.flights) + batch.too_many, batch.refused.total()
        what = "%s webhooks are not measured, %s refused ones not counted: %s"
        log.warning(what, lost, refused, type(error).__name__)
        return
    if batch.too_many:
        log.warning("%s webhooks are not measured: too many at once", batch.too_many)
    webhooks_recorded.send_robust(sender=None)


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
