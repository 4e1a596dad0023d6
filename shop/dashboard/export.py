"""Payments as a file for spreadsheets: all that the page's filter lets through, however many.

They are read a batch at a time, each by a statement of its own, and while a browser takes its time nothing is
kept open in the database: no time limit there ends a long file. An order that is paid while the file is being
written came in after it was begun, and is for the next one.

Numbers of orders have a `#` in front, or spreadsheets would take 12345E67 and 00012345 for amounts.
"""

import csv
import io
import logging
import re
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.postgres.aggregates import StringAgg
from django.db import OperationalError, close_old_connections, connection, transaction
from django.db.models import CharField, OuterRef, Subquery, TextField, Value
from django.db.models.functions import Cast, Concat
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from shop.dashboard.access import StaffRequest, requires
from shop.dashboard.feed import Cursor, PaymentFilter
from shop.models import Order, OrderLine
from shop.models.order_queries import OrderQuerySet
from shop.money import formatted
from shop.rights import VIEW_PAYMENTS

log = logging.getLogger(__name__)

BATCH = 1000
COUNT_PATIENCE = "2s"
COLUMNS = [
    "number",
    "public_id",
    "placed_at",
    "paid_at",
    "email",
    "goods",
    "payment_status",
    "fulfilment_status",
    "currency",
    "amount_total",
    "amount_total_formatted",
    "refunded_amount",
    "refunded_amount_formatted",
    "needs_attention",
    "disputed",
    "payment_intent_id",
]
_OWN = [name for name in COLUMNS if name not in ("number", "goods") and not name.endswith("_formatted")]
NOT_COMPLETE = "THIS FILE IS NOT COMPLETE: the shop could not read on. Please export again."
"""The last line where that is so: HTTP cannot take back that all seemed well."""

_LINES = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
_LINE = Concat(Cast("quantity", CharField()), Value(" × "), "name", output_field=TextField())
_GOODS = Subquery(_LINES.annotate(goods=StringAgg(_LINE, ", ", order_by="pk")).values("goods"))

# What spreadsheets take for the beginning of a formula, wide forms included, and what they skip before
# it. Where the comma is for decimals, they take a semicolon for the end of a cell.
_FORMULA = re.compile(r"(^|[;\t\r\n])([\s\u200b-\u200f\u2060\ufeff]*)(?=[=+\-@\t\r＝＋－＠﹦﹢﹣﹫−])")


@require_GET
@never_cache
@requires(VIEW_PAYMENTS)
async def export(request: StaffRequest) -> StreamingHttpResponse:
    """CSV, the payment that came in last first. `X-Total-Rows` says how many it will be, if that is known."""
    orders = PaymentFilter.from_query(request.GET).apply(Order.objects.all())
    total = await sync_to_async(_count)(orders)
    response = StreamingHttpResponse(_written(orders), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="payments-{timezone.localdate()}.csv"'
    if total is not None:
        response["X-Total-Rows"] = str(total)
    return response


def _count(orders: OrderQuerySet) -> int | None:
    """None if that takes too long: it is for the progress bar only."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [COUNT_PATIENCE])
            return orders.count()
    except OperationalError:
        return None


async def _written(orders: OrderQuerySet) -> AsyncIterator[bytes]:
    """Ends where a client that has gone away cancels it."""
    yield b"\xef\xbb\xbf" + _csv([COLUMNS])  # Excel knows by the mark that it is UTF-8
    after: Cursor | None = None
    while True:
        try:
            batch, after = await sync_to_async(_batch)(orders, after)
        except Exception:
            # Not raised: of what fails after it has begun, Daphne's housekeeping dies (its 4.2).
            log.exception("An export was broken off")
            batch, after = _csv([[NOT_COMPLETE]]), None
        yield batch
        if after is None:
            return


def _batch(orders: OrderQuerySet, after: Cursor | None) -> tuple[bytes, Cursor | None]:
    """The next lines, and where to go on, if there is more."""
    try:
        some = orders.filter(after.condition) if after else orders
        found: list[Any] = list(some.only(*_OWN).annotate(all_goods=_GOODS)[:BATCH])
    finally:
        close_old_connections()  # back to the pool
    more = Cursor.after(found[-1]) if len(found) == BATCH else None
    return _csv(_row(order, order.all_goods or "") for order in found), more


def _row(order: Order, goods: str) -> list[str | int]:
    return [
        f"#{order.number}",
        str(order.public_id),
        _moment(order.placed_at),
        _moment(order.paid_at),
        harmless(order.email),
        harmless(goods),
        order.payment_status,
        order.fulfilment_status,
        order.currency,
        order.amount_total,
        formatted(order.amount_total, order.currency),
        order.refunded_amount,
        formatted(order.refunded_amount, order.currency),
        harmless(order.needs_attention),
        "yes" if order.disputed else "no",
        harmless(order.payment_intent_id),
    ]


def harmless(text: str) -> str:
    """The text, with an apostrophe wherever a spreadsheet would calculate instead of showing it."""
    return _FORMULA.sub(r"\1'\2", text)


def _moment(moment: datetime | None) -> str:
    return timezone.localtime(moment).isoformat(timespec="seconds") if moment else ""


def _csv(rows: Iterable[Iterable[str | int]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)  # ends lines with CRLF, as RFC 4180 has it
    return file.getvalue().encode()
