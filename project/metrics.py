"""/metrics for Prometheus. Read from the database at each scrape, so every process gives the same answer."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from project.proxies import FORWARDED
from shop.alarm import KINDS, silence
from shop.models import Outcome

# What a proxy adds: some nginx in front of us sends one of these only.
_OF_PROXIES = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For addresses in METRICS_ALLOWED; for all others there is no such page."""
    if not _may(request):
        raise Http404
    registry = CollectorRegistry()
    registry.register(_Shop())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may(request: HttpRequest) -> bool:
    # What came through a proxy has the proxy's address, which may well be on the list: a local nginx.
    # The ASGI application has taken its headers away, and noted that they were there.
    if getattr(request, "scope", {}).get(FORWARDED) or any(name in request.headers for name in _OF_PROXIES):
        return False
    try:
        peer = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(peer in network for network in settings.METRICS_ALLOWED)


class _Shop(Collector):
    def collect(self) -> Iterable[Metric]:
        yield from _alarm()
        yield from _counts()


def _alarm() -> Iterator[Metric]:
    troubles = {trouble.kind for trouble in silence().troubles}
    alarm = GaugeMetricFamily("shopbell_webhook_alarm", "1 while it is raised, by its cause", labels=["kind"])
    for kind in KINDS:
        alarm.add_metric([kind], kind in troubles)
    yield alarm


def _counts() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        waiting, outcomes, refused, checkouts, jobs = cursor.fetchone()
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
    yield GaugeMetricFamily("shopbell_open_checkouts", "Orders whose payment page is open", checkouts)
    queue = GaugeMetricFamily("shopbell_jobs", "Jobs of the worker, by status", labels=["status"])
    for status in ("todo", "doing", "failed"):
        queue.add_metric([status], (jobs or {}).get(status, 0))
    yield queue


_COUNTS = """
SELECT
    (SELECT count(*) FROM shop_stripeevent WHERE retry_at IS NOT NULL),
    (SELECT json_object_agg(outcome, count) FROM (
        SELECT outcome, count(*) FROM shop_stripeevent
        WHERE received_at > statement_timestamp() - interval '1 hour' GROUP BY outcome) AS events),
    (SELECT json_object_agg(reason, count) FROM (
        SELECT reason, sum(count) AS count FROM shop_refuseddelivery GROUP BY reason) AS refused),
    (SELECT count(*) FROM shop_order
     WHERE payment_status = 'pending' AND stripe_session_id IS NOT NULL
        AND checkout_expires_at > statement_timestamp()),
    (SELECT json_object_agg(status, count) FROM (
        SELECT status, count(*) FROM procrastinate_jobs GROUP BY status) AS jobs)
"""
