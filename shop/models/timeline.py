from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from shop import security, tracing
from shop.models.lines import OrderLine, order_lines

_acting: ContextVar[int | None] = ContextVar("acting", default=None)


@contextmanager
def acting(who_id: int | None) -> Iterator[None]:
    """What changes inside is written down as this user's doing, unless a verb knows better.

    What Stripe says leads to verbs that know of no users, also where it is a user who has it replayed.
    """
    token = _acting.set(who_id)
    try:
        yield
    finally:
        _acting.reset(token)


class Source(models.TextChoices):
    """Where we learned of a change."""

    SHOPPER = "shopper", "Shopper"
    WEBHOOK = "webhook", "Stripe's webhook"
    RETURN_PAGE = "return_page", "Return from Stripe"
    RECONCILER = "reconciler", "Reconciler"
    STAFF = "staff", "Staff"
    REPLAY = "replay", "Replay"


@dataclass(frozen=True, slots=True)
class Story:
    """An order's lines and timeline as of its last change."""

    at: datetime
    goods: list[OrderLine]
    timeline: "list[OrderChange]"


class OrderChangeQuerySet(models.QuerySet["OrderChange"]):
    def record(
        self,
        order_pk: int,
        version: int,
        what: str,
        before: str,
        after: str,
        source: Source,
        fields: Mapping[str, Any],
        *,
        who_id: int | None = None,
        amount: int | None = None,
        mail: str = "",
    ) -> Story:
        """Write an order's new version, fields and line of the timeline, and an e-mail that is to be sent if
        `mail` names its kind; and read what stands around.

        One statement, because a payment waits for it (docs/adr/0007); who is told of the change need not ask
        again. Under the order's lock nothing can come between the lines before this one and this one.
        A field may be `Now()`.
        """
        # The names are the verbs' keyword arguments: nothing from outside gets into the text.
        columns = [
            f"{name} = statement_timestamp()" if isinstance(value, Now) else f"{name} = %({name})s"
            for name, value in fields.items()
        ]
        sql = _RECORD.replace("/* fields */", "".join(f", {column}" for column in columns))
        line: dict[str, Any] = {
            "_order": order_pk,
            "_version": version,
            "_what": what,
            "_before": before,
            "_after": after,
        }
        who_id = _acting.get() if who_id is None else who_id
        if who_id is not None:
            _note(who_id, what, version, amount)
        line |= {"_source": source, "_who": who_id, "_amount": amount, "_mail": mail}
        with connection.cursor() as cursor:
            cursor.execute(sql, {**fields, **line})
            change, goods, earlier = cursor.fetchone()
        timeline = order_changes([*(earlier or []), change])
        return Story(timeline[-1].at, order_lines(goods), timeline)


def _note(who_id: int, what: str, version: int, amount: int | None) -> None:
    """For who looks into what staff did: the log remembers also what somebody has deleted."""
    known: dict[str, object] = {**tracing.facts(), "user": who_id, "change": what, "version": version}
    if amount is not None:
        known["amount"] = amount
    transaction.on_commit(partial(security.note, "Staff changed an order", **known))


class OrderChange(models.Model):
    """One line of an order's timeline: what went from what to what, at which version, and why."""

    class What(models.TextChoices):
        PLACED = "placed"
        PAYMENT = "payment_status"
        ATTENTION = "needs_attention"
        OWNER = "owner"
        FULFILMENT = "fulfilment_status"
        REFUND = "refund"
        DISPUTE = "dispute"
        RESTOCK = "restock"
        EMAIL = "email"
        CANCELLING = "cancelling"

    order = models.ForeignKey("shop.Order", models.CASCADE, related_name="changes")
    version = models.PositiveIntegerField()
    what = models.CharField(max_length=30, choices=What)
    before = models.CharField(max_length=200, blank=True)
    after = models.CharField(max_length=200, blank=True)
    amount = models.BigIntegerField(
        null=True, blank=True, help_text="Of the refund or dispute, in minor units"
    )
    source = models.CharField(max_length=20, choices=Source)
    who = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    at = models.DateTimeField(db_default=Now())

    objects = OrderChangeQuerySet.as_manager()

    class Meta:
        ordering = ["version"]
        constraints = [
            models.UniqueConstraint(fields=["order", "version"], name="one_change_per_version"),
        ]
        indexes = [
            # Few of many, and the alarm looks for them each second (shop/alarm.py).
            models.Index(
                fields=["at"],
                condition=Q(what="payment_status", source__in=[Source.RETURN_PAGE, Source.RECONCILER]),
                name="changes_no_webhook_told",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what}: {self.before or '∅'} → {self.after} ({self.source})"


def order_changes(rows: list[dict[str, Any]] | None) -> list[OrderChange]:
    """From rows as PostgreSQL's json_agg gives them."""
    names = {field.attname for field in OrderChange._meta.concrete_fields}  # not those of the next release
    changes = [OrderChange(**{name: row[name] for name in names}) for row in rows or []]
    for change in changes:
        change.at = datetime.fromisoformat(str(change.at))
    return changes


_RECORD = """
WITH moved AS (
    UPDATE shop_order SET version = %(_version)s, updated_at = statement_timestamp()/* fields */
    WHERE id = %(_order)s
), change AS (
    INSERT INTO shop_orderchange (order_id, version, what, before, after, source, who_id, amount)
    VALUES (%(_order)s, %(_version)s, %(_what)s, %(_before)s, %(_after)s, %(_source)s, %(_who)s, %(_amount)s)
    RETURNING *
), mail AS (
    INSERT INTO shop_orderemail (order_id, kind, version)
    SELECT %(_order)s, %(_mail)s::text, %(_version)s WHERE %(_mail)s::text <> ''
)
SELECT to_json(change),
    (SELECT json_agg(line ORDER BY line.id) FROM shop_orderline line WHERE line.order_id = %(_order)s),
    (SELECT json_agg(earlier ORDER BY earlier.version)
     FROM shop_orderchange earlier WHERE earlier.order_id = %(_order)s)
FROM change
"""
