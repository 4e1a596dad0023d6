"""The figures of /metrics: this process's own, and the shop's, which every process reads from the database.

Where that does not answer, the process still tells what it knows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from django.db import Error, connection
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.gauges import registry as of_process
from realtime.hub import running_hub
from realtime.topics import CATALOG, PAYMENT, PAYMENTS, WEBHOOKS, kind_of
from shop.alarm import KINDS, silence
from shop.dashboard.checkouts import pending
from shop.models import Outcome, ReconcilerTally
from shop.models.clock import database_now

__all__ = ["of_process", "of_shop"]

TOPICS = (CATALOG, "order", PAYMENT, PAYMENTS, "shopper", WEBHOOKS)


class _Pages(Collector):
    """Open pages of this process."""

    def collect(self) -> Iterable[Metric]:
        hub = running_hub()
        # Copied in one go each: the hub's loop goes on meanwhile.
        pages, waiting = (tuple(hub.pages), len(hub.waiting)) if hub else ((), 0)
        yield GaugeMetricFamily("shopbell_sockets_open", "Open pages", len(pages))
        showing = GaugeMetricFamily(
            "shopbell_topic_sockets", "Open pages that show a topic of this kind, or two", labels=["kind"]
        )
        count = Counter(kind for page in pages for kind in {kind_of(topic) for topic in page.topics})
        for kind in TOPICS:
            showing.add_metric([kind], count[kind])
        yield showing
        yield GaugeMetricFamily("shopbell_sockets_waiting", "Pages that wait for their first sweep", waiting)


class _Pool(Collector):
    """This process's connections to the database."""

    def collect(self) -> Iterable[Metric]:
        pool = getattr(connection, "pool", None)
        if pool is None:
            return
        stats = Counter(pool.get_stats())  # what has never happened it does not name
        size, idle = stats["pool_size"], stats["pool_available"]
        connections = GaugeMetricFamily(
            "shopbell_database_connections", "Connections of the pool, by state", labels=["state"]
        )
        connections.add_metric(["used"], size - idle)
        connections.add_metric(["idle"], idle)
        yield connections
        most, waiting = stats["pool_max"], stats["requests_waiting"]
        yield GaugeMetricFamily("shopbell_database_connections_max", "As many as there may be", most)
        yield GaugeMetricFamily("shopbell_database_waiting", "Threads that wait for a connection", waiting)
        waited = stats["requests_wait_ms"] / 1000
        yield CounterMetricFamily("shopbell_database_wait_seconds", "Waited for connections so far", waited)
        errors = stats["requests_errors"] + stats["connections_errors"]
        yield CounterMetricFamily(
            "shopbell_database_connection_errors",
            "Connections not got, or not made",
            errors,
        )


class _Shop(Collector):
    """From the database, at each scrape."""

    def collect(self) -> Iterable[Metric]:
        try:
            families = [*_alarm(), *_webhooks_and_jobs(), *_checkouts(), *_reconciler()]
        except Error:
            families = []
        up = bool(families)
        yield GaugeMetricFamily("shopbell_database_up", "Whether the database answered this scrape", up)
        yield from families


def _alarm() -> Iterator[Metric]:
    troubles = {trouble.kind for trouble in silence().troubles}
    alarm = GaugeMetricFamily("shopbell_webhook_alarm", "1 while it is raised, by its cause", labels=["kind"])
    for kind in KINDS:
        alarm.add_metric([kind], kind in troubles)
    yield alarm


def _webhooks_and_jobs() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        waiting, outcomes, refused, jobs, given_up, oldest = cursor.fetchone()
    yield GaugeMetricFamily(
        "shopbell_webhook_events_waiting",
        "Events that failed or found no order, to be tried again",
        waiting,
    )
    events = GaugeMetricFamily(
        "shopbell_webhook_events", "Events first heard of in the last hour, by outcome", labels=["outcome"]
    )
    for outcome in set(Outcome) - {Outcome.RECEIVED}:
        events.add_metric([outcome.value], (outcomes or {}).get(outcome.value, 0))
    yield events
    refusals = CounterMetricFamily(
        "shopbell_webhook_refused", "Deliveries that were refused, by reason", labels=["reason"]
    )
    for reason, count in (refused or {}).items():
        refusals.add_metric([reason], count)
    yield refusals
    queue = GaugeMetricFamily("shopbell_jobs", "Jobs of the worker, by status", labels=["status"])
    for status in ("todo", "doing", "failed"):
        queue.add_metric([status], (jobs or {}).get(status, 0))
    yield queue
    yield GaugeMetricFamily("shopbell_jobs_given_up", "Jobs that failed in the last hour", given_up)
    yield GaugeMetricFamily(
        "shopbell_jobs_oldest_seconds", "For how long the oldest job that is due has waited", oldest
    )


def _checkouts() -> Iterator[Metric]:
    open_ones = pending().count()
    yield GaugeMetricFamily("shopbell_open_checkouts", "Orders that are not paid yet and may be", open_ones)


def _reconciler() -> Iterator[Metric]:
    tally = ReconcilerTally.objects.first() or ReconcilerTally()
    yield CounterMetricFamily("shopbell_reconciler_rounds", "Rounds that were done", tally.rounds)
    yield CounterMetricFamily(
        "shopbell_reconciler_orders_asked", "Orders that Stripe was asked about", tally.orders_asked
    )
    mended = CounterMetricFamily(
        "shopbell_reconciler_mended", "What it brought that no webhook had", labels=["what"]
    )
    mended.add_metric(["orders"], tally.orders_changed)
    mended.add_metric(["events"], tally.events_applied)
    yield mended
    errors = CounterMetricFamily(
        "shopbell_reconciler_errors",
        "What Stripe did not answer, what could not be applied, rounds that ran out of time",
        labels=["kind"],
    )
    for kind in ("unanswered", "failed", "stopped"):
        errors.add_metric([kind], getattr(tally, kind))
    yield errors
    if tally.rounds:
        age = (database_now() - tally.ended_at).total_seconds()
        yield GaugeMetricFamily("shopbell_reconciler_age_seconds", "Since its last round was over", age)


_COUNTS = """
SELECT
    (SELECT count(*) FROM shop_stripeevent WHERE retry_at IS NOT NULL),
    (SELECT json_object_agg(outcome, count) FROM (
        SELECT outcome, count(*) FROM shop_stripeevent
        WHERE received_at > statement_timestamp() - interval '1 hour' GROUP BY outcome) AS events),
    (SELECT json_object_agg(reason, count) FROM (
        SELECT reason, sum(count) AS count FROM shop_refuseddelivery GROUP BY reason) AS refused),
    (SELECT json_object_agg(status, count) FROM (
        SELECT status, count(*) FROM procrastinate_jobs GROUP BY status) AS jobs),
    (SELECT count(DISTINCT job.id)
     FROM procrastinate_jobs job JOIN procrastinate_events event ON event.job_id = job.id
     WHERE status = 'failed' AND event.type = 'failed' AND at > statement_timestamp() - interval '1 hour'),
    (SELECT coalesce(extract(epoch FROM statement_timestamp() - min(coalesce(scheduled_at, deferred.at))), 0)
     FROM procrastinate_jobs job
     LEFT JOIN procrastinate_events deferred ON deferred.job_id = job.id AND deferred.type = 'deferred'
     WHERE status = 'todo' AND coalesce(scheduled_at, '-infinity') <= statement_timestamp())
"""

of_process.register(_Pages())
of_process.register(_Pool())
of_shop = CollectorRegistry()
of_shop.register(_Shop())
