"""Revenue and payments of the last hour and the last two days; drawn by live/_pictures.html."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from shop.dashboard.charts import Bar, Bucket, Scale, Tick, percent, round_ticks
from shop.dashboard.wall_clock import shop_time
from shop.models.clock import database_now
from shop.money import step


@dataclass(frozen=True, slots=True)
class Kind:
    """`unit` is what a bucket is, of which there are `count`. The axis of time has a tick at each multiple of
    `major` and, where there is room, of `minor`.
    """

    name: str
    title: str
    unit: str
    size: timedelta
    count: int
    major: int
    minor: int

    def start_of_bucket(self, moment: datetime) -> datetime:
        """In UTC. Counted back from what the clock shows, whose hours need not begin where UTC's do."""
        past = timedelta(
            minutes=shop_time(moment).minute if self.unit == "hour" else 0,
            seconds=moment.second,
            microseconds=moment.microsecond,
        )
        return moment.astimezone(UTC) - past


KINDS = (
    Kind("minutes", "Last 60 minutes", "minute", timedelta(minutes=1), 60, major=15, minor=5),
    Kind("hours", "Last 48 hours", "hour", timedelta(hours=1), 48, major=12, minor=6),
)


@dataclass(frozen=True, slots=True)
class Picture:
    kind: Kind
    currency: str
    buckets: list[Bucket]
    """From the oldest to the current one, which is not over."""
    elsewhere: int
    """How many payments are left out, because they are in another currency."""

    @property
    def revenue(self) -> int:
        return sum(bucket.revenue for bucket in self.buckets)

    @property
    def payments(self) -> int:
        return sum(bucket.payments for bucket in self.buckets)

    @property
    def busy(self) -> list[Bucket]:
        return [bucket for bucket in self.buckets if bucket.payments]

    @property
    def best(self) -> Bucket:
        return max(self.buckets, key=lambda bucket: bucket.revenue)

    @property
    def clock_was_changed(self) -> bool:
        """So that one time of day may be there twice."""
        return len({bucket.start.utcoffset() for bucket in self.buckets}) > 1

    # --- how it is drawn --------------------------------------------------------------------------

    @property
    def revenue_scale(self) -> Scale:
        largest = max(bucket.revenue for bucket in self.buckets)
        return Scale(0, 66, round_ticks(largest, most=4, unit=step(self.currency)))

    @property
    def payments_scale(self) -> Scale:
        return Scale(78, 22, round_ticks(max(bucket.payments for bucket in self.buckets), most=2))

    @property
    def bars(self) -> Iterator[tuple[Bucket, str, Bar, Bar]]:
        """Each busy bucket, where it stands, and its bars of revenue and payments."""
        revenue, payments = self.revenue_scale, self.payments_scale
        for bucket in self.busy:
            yield bucket, self._x(bucket), revenue.bar(bucket.revenue), payments.bar(bucket.payments)

    @property
    def slot(self) -> str:
        """How wide a bucket is."""
        return percent(1, self.kind.count)

    @property
    def now(self) -> Bucket:
        return self.buckets[-1]

    @property
    def now_x(self) -> str:
        return self._x(self.now)

    @property
    def ticks(self) -> list[Tick]:
        """Of the axis of time; none so near its end that it would touch the word "now"."""
        last, last_minor = self.kind.count * 85 // 100, self.kind.count * 92 // 100
        near = [(bucket.index, self._tick(bucket)) for bucket in self.buckets[1:last_minor]]
        return [tick for index, tick in near if tick and (tick.is_minor or index <= last)]

    def _tick(self, bucket: Bucket) -> Tick | None:
        is_day = bucket.start.date() != self.buckets[bucket.index - 1].start.date()
        count = getattr(bucket.start, self.kind.unit)
        if not is_day and count % self.kind.minor:
            return None
        return Tick(self._x(bucket), bucket.start, is_day, not is_day and bool(count % self.kind.major))

    def _x(self, bucket: Bucket) -> str:
        return percent(bucket.index, self.kind.count)


def pictures(now: datetime | None = None) -> dict[str, Any]:
    """`pictures`, a list of Picture. One statement for each, and the clock's.

    Buckets without payments are there, with zeros. Until the next minute it only changes by payments.
    """
    now = now or database_now()
    return {"pictures": [_picture(kind, now) for kind in KINDS]}


def _picture(kind: Kind, now: datetime) -> Picture:
    end = kind.start_of_bucket(now) + kind.size
    start = end - kind.count * kind.size
    with connection.cursor() as cursor:
        period = {"size": kind.size, "start": start, "end": end, "currency": settings.CURRENCY}
        cursor.execute(_PAID, period)
        rows = {
            bucket: (revenue, payments, others) for bucket, revenue, payments, others in cursor.fetchall()
        }
    starts = [start + index * kind.size for index in range(kind.count)]
    found = [rows.get(begin, (0, 0, 0)) for begin in starts]
    buckets = [
        Bucket(index, shop_time(begin), revenue, payments)
        for index, (begin, (revenue, payments, _)) in enumerate(zip(starts, found, strict=True))
    ]
    return Picture(kind, settings.CURRENCY, buckets, sum(others for _, _, others in found))


_PAID = """
SELECT
    date_bin(%(size)s, paid_at, %(start)s),
    coalesce(sum(amount_total) FILTER (WHERE currency = %(currency)s), 0)::bigint,
    count(*) FILTER (WHERE currency = %(currency)s),
    count(*) FILTER (WHERE currency <> %(currency)s)
FROM shop_order
WHERE paid_at >= %(start)s AND paid_at < %(end)s
GROUP BY 1
"""
