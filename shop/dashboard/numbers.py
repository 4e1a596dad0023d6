"""The numbers of the day, each next to yesterday's at the same time of day; shown by live/_numbers.html."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from shop.dashboard.wall_clock import same_time_yesterday, shop_time, start_of
from shop.models.checkout import CHECKOUT_LASTS
from shop.models.clock import database_now
from shop.models.moves import REFUNDED
from shop.money import step


@dataclass(frozen=True, slots=True)
class Number:
    """`today` and `yesterday` (until the same time of day) are minor units of the shop's currency if
    `is_money`, and None where there is nothing that they could be of.
    """

    name: str
    label: str
    today: int | None
    yesterday: int | None
    is_money: bool = False
    more_is: str = ""
    """Whether that is "good" or "bad" news, if it is either."""

    @property
    def difference(self) -> int | None:
        """Below zero if today's is less."""
        return None if self.today is None or self.yesterday is None else self.today - self.yesterday

    @property
    def distance(self) -> int:
        return abs(self.difference or 0)

    @property
    def percent(self) -> int:
        """How far today's is from yesterday's; 0 where that says nothing."""
        return round(100 * self.distance / self.yesterday) if self.yesterday else 0

    @property
    def news(self) -> str:
        """ "good", "bad" or neither."""
        if not self.difference or not self.more_is:
            return ""
        return self.more_is if self.difference > 0 else {"good": "bad", "bad": "good"}[self.more_is]


def numbers(now: datetime | None = None) -> dict[str, Any]:
    """`numbers`: `day` (a date), `currency`, `all` (of Number), and `elsewhere`, how many of today's payments
    and refunds are left out because they are in another currency.

    Revenue is what was paid today; refunds made today are a number of their own and not taken off, because
    most are of earlier days' payments. Two statements, and all numbers are of one moment.
    """
    now = now or database_now()
    today, before, elsewhere = _read(now)
    return {
        "numbers": {
            "day": shop_time(now).date(),
            "currency": settings.CURRENCY,
            "all": [
                Number("revenue", "Revenue", today.revenue, before.revenue, True, "good"),
                Number("payments", "Payments", today.payments, before.payments, more_is="good"),
                Number("average", "Average payment", today.average, before.average, True, "good"),
                Number("checkouts", "Open checkouts", today.checkouts, before.checkouts),
                Number("refunded", "Refunded", today.refunded, before.refunded, True, "bad"),
                Number("refunds", "Refunds", today.refunds, before.refunds, more_is="bad"),
            ],
            "elsewhere": elsewhere,
        }
    }


class _Day(NamedTuple):
    revenue: int
    payments: int
    refunded: int
    refunds: int
    checkouts: int

    @property
    def average(self) -> int | None:
        """To the nearest amount that there is."""
        unit = step(settings.CURRENCY) * self.payments
        return (2 * self.revenue + unit) // (2 * unit) * step(settings.CURRENCY) if unit else None


def _read(now: datetime) -> tuple[_Day, _Day, int]:
    day, then = shop_time(now).date(), same_time_yesterday(now)
    moments = {
        "then": then,
        "yesterday": start_of(day - timedelta(days=1)),
        "today": start_of(day),
        "tomorrow": start_of(day + timedelta(days=1)),
        "placed_after": then - 2 * CHECKOUT_LASTS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, {**moments, "currency": settings.CURRENCY, "refunded": list(REFUNDED)})
        sales, refunds, checkouts = cursor.fetchone()
    today, before = (
        _Day._make([*sales[side], *refunds[side], checkouts[side]]) for side in ("today", "then")
    )
    return today, before, sales["elsewhere"] + refunds["elsewhere"]


# Open checkouts are pending orders, as open_checkouts() counts them. Whether one was is in the timeline: its
# payment's first move was from pending to elsewhere. An order that is paid since then is found by when that
# was, and any other by when it was placed: one that Stripe was silent about for an hour is left out.
# OFFSET keeps the planner from reading every change there is.
_NUMBERS = """
SELECT
    (SELECT json_build_object(
        'today', json_build_array(
            coalesce(sum(amount_total) FILTER (WHERE paid_at >= %(today)s AND currency = %(currency)s), 0),
            count(*) FILTER (WHERE paid_at >= %(today)s AND currency = %(currency)s)),
        'then', json_build_array(
            coalesce(sum(amount_total) FILTER (WHERE paid_at < %(then)s AND currency = %(currency)s), 0),
            count(*) FILTER (WHERE paid_at < %(then)s AND currency = %(currency)s)),
        'elsewhere', count(*) FILTER (WHERE paid_at >= %(today)s AND currency <> %(currency)s))
    FROM shop_order
    WHERE paid_at >= %(yesterday)s AND paid_at < %(tomorrow)s),

    (SELECT json_build_object(
        'today', json_build_array(
            coalesce(sum(amount) FILTER (WHERE created_at >= %(today)s AND currency = %(currency)s), 0),
            count(*) FILTER (WHERE created_at >= %(today)s AND currency = %(currency)s)),
        'then', json_build_array(
            coalesce(sum(amount) FILTER (WHERE created_at < %(then)s AND currency = %(currency)s), 0),
            count(*) FILTER (WHERE created_at < %(then)s AND currency = %(currency)s)),
        'elsewhere', count(*) FILTER (WHERE created_at >= %(today)s AND currency <> %(currency)s))
    FROM shop_refund JOIN shop_order ON shop_order.id = order_id
    WHERE created_at >= %(yesterday)s AND created_at < %(tomorrow)s AND status = ANY(%(refunded)s)),

    json_build_object(
        'today', (
            SELECT count(*) FROM shop_order
            WHERE payment_status = 'pending'),
        'then', (
            SELECT count(*) FROM shop_order
            WHERE coalesce(paid_at, placed_at) > %(placed_after)s AND placed_at <= %(then)s
                AND NOT EXISTS (
                    SELECT FROM shop_orderchange
                    WHERE order_id = shop_order.id AND what = 'payment_status' AND at <= %(then)s
                    OFFSET 0)))
"""
