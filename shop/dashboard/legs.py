"""How fast webhooks were in the last hour, leg by leg, and what was refused; shown by live/_legs.html."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Sum

from shop.dashboard.charts import Bar, Scale, percent
from shop.models import RefusedDelivery
from shop.models.clock import database_now

BUCKET = timedelta(minutes=5)
BUCKETS = 12
MOST = 5_000
"""Of the hour's deliveries the newest are looked at: they tell as much as all would, and cost less."""
NAMES = (
    ("way", "Stripe → received", "Stripe’s clock counts whole seconds, so up to one of them is rounding."),
    ("commit", "Received → committed", "From the request to the order as the database has it."),
    ("push", "Committed → pushed", "Until open pages and Redis have been told, where there was news."),
)


@dataclass(frozen=True, slots=True)
class Column:
    """Five minutes of a leg: seconds that half, and 95 %, of the deliveries took at most."""

    start: datetime
    deliveries: int
    p50: float
    p95: float
    x: str
    p50_bar: Bar
    p95_bar: Bar


@dataclass(frozen=True, slots=True)
class Leg:
    """`p50` and `p95` of the hour in seconds, None if nothing was measured."""

    name: str
    title: str
    note: str
    p50: float | None
    p95: float | None
    columns: list[Column]

    @property
    def fastest(self) -> float:
        return min(column.p95 for column in self.columns)

    @property
    def slowest(self) -> float:
        return max(column.p95 for column in self.columns)


def legs() -> dict[str, Any]:
    """`legs` of Leg; `measured`, of how many deliveries; `slot`, how wide a column is; and `refused`, reason
    and count of the last 24 hours, most first. Three statements.
    """
    now = database_now()
    rows = _read(now)
    return {
        "legs": [_leg(names, place, rows, now) for place, names in enumerate(NAMES)],
        "measured": next((row.deliveries[0] for row in rows if row.start is None), 0),
        "slot": percent(1, BUCKETS + 1),
        "refused": _refused(now),
    }


class _Row(NamedTuple):
    start: datetime | None
    """Of a bucket; None: of all of the hour."""
    deliveries: list[int]
    """Of each leg; the first has all."""
    figures: list[tuple[float, float] | None]
    """p50 and p95 of each leg, as far as it was measured."""


def _leg(names: tuple[str, str, str], place: int, rows: list[_Row], now: datetime) -> Leg:
    found = [(row, figures) for row in rows if (figures := row.figures[place])]
    scale = Scale(0, 100, [0, max((_micro(p95) for row, (_, p95) in found if row.start), default=0)])

    def bar(seconds: float) -> Bar:
        return scale.bar(_micro(seconds))

    columns = [
        Column(row.start, row.deliveries[place], p50, p95, _x(row.start, now), bar(p50), bar(p95))
        for row, (p50, p95) in found
        if row.start
    ]
    p50, p95 = next((figures for row, figures in found if row.start is None), (None, None))
    return Leg(*names, p50, p95, columns)


def _x(start: datetime, now: datetime) -> str:
    """The bucket that is not over is the last one."""
    return percent(BUCKETS - (now - start) // BUCKET, BUCKETS + 1)


def _micro(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _read(now: datetime) -> list[_Row]:
    limits: dict[str, Any] = {"now": now, "hour": BUCKETS * BUCKET, "bucket": BUCKET, "most": MOST}
    with connection.cursor() as cursor:
        cursor.execute(_LEGS, limits)
        return [_Row(start, count, figures) for start, count, *figures in cursor.fetchall()]


def _refused(now: datetime) -> list[tuple[str, int]]:
    lately = RefusedDelivery.objects.filter(hour__gt=now - timedelta(hours=24)).order_by().values("reason")
    return list(
        lately.annotate(times=Sum("count")).order_by("-times", "reason").values_list("reason", "times")
    )


_LEGS = """
WITH recent AS (
    SELECT date_bin(%(bucket)s, received_at, 'epoch') AS bucket, commit_seconds,
        CASE WHEN outcome = 'applied' THEN push_seconds END AS push_seconds,
        greatest(extract(epoch FROM received_at - created), 0)::float8 AS way_seconds
    FROM shop_stripeevent
    WHERE received_at > %(now)s - %(hour)s::interval AND attempts > 0
    ORDER BY received_at DESC
    LIMIT %(most)s
)
SELECT bucket, ARRAY[count(*), count(*), count(push_seconds)],
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY way_seconds),
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY commit_seconds),
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY push_seconds)
FROM recent
GROUP BY GROUPING SETS ((bucket), ())
ORDER BY bucket
"""
