"""Which orders, and how they are read."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, Q, prefetch_related_objects
from django.db.models.functions import Coalesce, Now

from shop import tracing
from shop.models.lines import order_lines
from shop.models.links import OrderGrant
from shop.models.moves import HOLDING, PaymentStatus
from shop.models.timeline import order_changes
from shop.shoppers import Shopper

if TYPE_CHECKING:
    from shop.models.orders import Order

CAME_IN = Coalesce("paid_at", "placed_at")
"""`Order.came_in_at`, for the database."""

_IN_FULL = """
SELECT shop_order.*,
    (SELECT json_agg(line ORDER BY line.id)
     FROM shop_orderline line WHERE line.order_id = shop_order.id) AS lines_json,
    (SELECT json_agg(change ORDER BY change.version)
     FROM shop_orderchange change WHERE change.order_id = shop_order.id) AS changes_json
FROM shop_order WHERE shop_order.id = ANY(%s)
"""


def numbered(text: str) -> Q:
    """Orders whose number, or id, begins so; a `#` and hyphens do not matter. None if it is no such text."""
    digits = text.replace("-", "").lstrip("#").lower()
    if not re.fullmatch(r"[0-9a-f]{4,32}", digits):
        return Q(pk__in=[])
    return Q(public_id__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))


class OrderQuerySet(models.QuerySet["Order"]):
    def of(self, shopper: Shopper) -> "OrderQuerySet":
        """This shopper's own orders."""
        if shopper.user_id is not None:
            return self.filter(user_id=shopper.user_id)
        return self.filter(guest_id=shopper.guest_id, user=None)

    def visible_to(self, shopper: Shopper) -> "OrderQuerySet":
        """Her own, and those whose link she has opened."""
        return self.of(shopper) | self.filter(pk__in=OrderGrant.objects.of(shopper).values("order"))

    def open_cart(self, cart: str) -> "OrderQuerySet":
        """Unpaid orders for exactly these goods at these prices: one at most for each shopper."""
        return self.filter(cart=cart, payment_status=PaymentStatus.PENDING)

    def abandoned(self) -> "OrderQuerySet":
        """Unpaid ones that never got a Checkout Session in their time."""
        over = self.filter(payment_status=PaymentStatus.PENDING, stripe_session_id=None)
        return over.filter(checkout_expires_at__lt=Now())

    def in_doubt(self, age: timedelta, *, every: bool = False) -> "OrderQuerySet":
        """Open ones older than `age`, whose news may have been lost: those not asked for the longest first.

        Unless `every` is wanted, with growing gaps: again when a tenth of its life has gone by since the last
        time, which is each minute at first and every few hours while a bank takes its days. Those that
        somebody wants cancelled are always among them.
        """
        tenth = ExpressionWrapper((Now() - F("placed_at")) / 10, output_field=models.DurationField())
        due = Q(placed_at__lt=Now() - age)
        if not every:
            due &= Q(checked_at=None) | Q(checked_at__lt=Now() - tenth)
        to_end = Q(payment_status=PaymentStatus.PENDING) & ~Q(cancelling="")
        return self.filter(due | to_end, payment_status__in=HOLDING).order_by(
            F("checked_at").asc(nulls_first=True), "pk"
        )

    def worth_keeping(self) -> "OrderQuerySet":
        """What a shopper's list shows: everything but checkouts that came to nothing."""
        return self.exclude(payment_status__in=[PaymentStatus.EXPIRED, PaymentStatus.CANCELLED])

    def in_full(self, pks: Collection[int]) -> "list[Order]":
        """These orders with `goods` and `timeline`, in one statement, a fifth of the cost of three."""
        orders: list[Any] = list(self.raw(_IN_FULL, [list(pks)])) if pks else []
        for order in orders:
            order.goods = order_lines(order.lines_json)
            order.timeline = order_changes(order.changes_json)
        return orders

    @contextmanager
    def locking(self, public_id: UUID | None) -> Iterator["Order | None"]:
        """The order, if there is one, its row locked until the transaction around it ends.

        What is decided inside is decided on what the row says, and the verbs need not lock it again.
        """
        with transaction.atomic(savepoint=False):
            rows = self.raw("SELECT * FROM shop_order WHERE public_id = %s FOR UPDATE", [public_id])
            order = next(iter(rows), None)
            if order is None:
                yield None
                return
            order.is_locked = True
            try:
                with tracing.about(order=order.public_id):
                    yield order
            finally:
                order.is_locked = False

    def for_lists(self) -> "OrderQuerySet":
        """With lines: two queries however many orders there are."""
        return self.prefetch_related("lines")


def with_details(orders: "Sequence[Order]") -> "Sequence[Order]":
    """The same orders with what staff see and their shopper does not: refunds, disputes, and the names of who
    did what.

    Four queries however many they are, and as many again for orders that did not come `in_full`.
    """
    prefetch_related_objects(orders, "refunds__requested_by", "disputes")
    prefetch_related_objects([change for order in orders for change in order.timeline], "who")
    return orders
