"""What this process counts for /metrics (project/metrics.py), in memory and from its start.

Only the hub's own loop counts pushes: once for each page, so in plain numbers. A number that any thread may
raise has a lock, and a push to two thousand pages would take it two thousand times.
"""

import time
from collections.abc import Iterable
from math import isfinite

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.codes import WHY
from realtime.fragments import Fragment

# When each was first told of: half of all lines, and nobody asks.
disable_created_metrics()  # type: ignore[no-untyped-call]
registry = CollectorRegistry()
ProcessCollector(registry=registry)

CLOSE_CODES = frozenset({1000, 1001, 1006, 1009, *WHY})
"""Counted one by one. Clients may send any, and each would be kept."""
HURRY = 1.0
"""Seconds that a hurry-up may take; what a patrol brings of later changes was hurried to nobody."""
SHORT = 0.2
"""Seconds in which the database has to answer for its clock to be compared with ours."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

lag = Histogram(
    "shopbell_push_lag_seconds",
    "From a change's time to its frame with the last open page of this process, by how it came",
    ["way"],
    buckets=_SECONDS,
    registry=registry,
)
sweeps = Histogram(
    "shopbell_sweep_seconds",
    "Sweeps over open pages and how long each took",
    ["kind"],
    buckets=_SECONDS,
    registry=registry,
)
unread_lists = Counter(
    "shopbell_sweep_unread_lists", "Lists that a sweep could not read and owes", registry=registry
)
unread_panels = Counter(
    "shopbell_sweep_unread_panels", "Sums and other panels that a sweep could not read", registry=registry
)
unshown_orders = Counter(
    "shopbell_sweep_unshown_orders", "Orders that a sweep could not render and owes", registry=registry
)
hub_failures = Counter(
    "shopbell_hub_failures", "Jobs of the hub that failed and were begun anew", ["job"], registry=registry
)
publishes = Counter(
    "shopbell_publishes", "Fragments and hints that were to go to Redis", ["result"], registry=registry
)
sockets_closed = Counter(
    "shopbell_sockets_closed", "Open pages' sockets that are closed, by code", ["code"], registry=registry
)
webhook_answers = Histogram(
    "shopbell_webhook_answer_seconds",
    "From a delivery, its body whole, to our answer, by its status",
    ["status"],
    buckets=_SECONDS,
    registry=registry,
)

WAYS = ("hurried", "hinted", "patrol")
KINDS = ("greet", "inform", "patrol")
JOBS = ("_listen", "_follow_topics", *KINDS)
for way in WAYS:
    lag.labels(way)
for kind in KINDS:
    sweeps.labels(kind)
for job in JOBS:
    hub_failures.labels(job)
for result in ("taken", "late", "failed"):
    publishes.labels(result)
for code in (*CLOSE_CODES, "other"):
    sockets_closed.labels(code)
for status in (200, 400, 413, 500):
    webhook_answers.labels(status)


class Pushes(Collector):
    """Of the hub's loop. `ahead` is by how many seconds the database's clock is before ours."""

    def __init__(self) -> None:
        self.taken = 0
        self.known = 0
        self.mended = 0
        self.ahead = 0.0
        self.patrolled_at = time.monotonic()

    def offered(self, pages: int, taken: int) -> None:
        """A fragment was offered to so many pages, and news to so many of these."""
        self.taken += taken
        self.known += pages - taken

    def handed_over(self, fragment: Fragment, way: str) -> None:
        """All pages of this process that can be sent anything have been sent it."""
        if isfinite(fragment.changed_at):  # sums and whole lists are of no time
            lag.labels(way).observe(max(time.time() + self.ahead - fragment.changed_at, 0))

    def compare_clocks(self, asked: float, database_time: float, answered: float) -> None:
        """What the database said it was while our clock went from `asked` to `answered`."""
        if answered - asked < SHORT:
            self.ahead = database_time - (asked + answered) / 2

    def collect(self) -> Iterable[Metric]:
        offers = CounterMetricFamily(
            "shopbell_pushes",
            "Fragments offered to open pages: to be sent, or dropped because the page has that or newer",
            labels=["result"],
        )
        offers.add_metric(["sent"], self.taken)
        offers.add_metric(["dropped"], self.known)
        yield offers
        yield CounterMetricFamily(
            "shopbell_sweep_mended", "Fragments that patrols sent because no hurry-up had", self.mended
        )
        yield GaugeMetricFamily(
            "shopbell_clock_difference_seconds", "By how much the database's clock is before ours", self.ahead
        )
        yield GaugeMetricFamily(
            "shopbell_patrol_age_seconds",
            "Since the last patrol that was done, or since the start",
            time.monotonic() - self.patrolled_at,
        )


pushes = Pushes()
registry.register(pushes)


def closed(code: int | None) -> None:
    """An open page's socket is closed."""
    sockets_closed.labels(code if code in CLOSE_CODES else "other").inc()
