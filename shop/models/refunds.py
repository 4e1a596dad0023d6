"""Refunds: one row for each, whether asked for here or made at Stripe."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q, Sum
from django.db.models.functions import Now

from shop.models.moves import REFUNDED, PaymentStatus, RefundStatus, allowed
from shop.models.timeline import OrderChange, Source

if TYPE_CHECKING:
    from shop.models.orders import Order


class NotRefundable(Exception):
    """The order is not paid, has less left than was asked for, or a refund of it is still being asked for."""


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """The part of Stripe's Refund that matters here. `amount` in minor units.

    `ours` is the `public_id` of the row that asked for it, if one did.
    """

    id: str
    ours: UUID | None
    status: RefundStatus
    amount: int
    currency: str
    payment_intent_id: str
    reason: str
    failure_reason: str


class RefundQuerySet(models.QuerySet["Refund"]):
    """The verbs of an order's refunds; Order's rules for verbs hold here, too."""

    def request(self, order: "Order", amount: int, *, reason: str, note: str, who_id: int | None) -> "Refund":
        """Write down that staff want this much back, before Stripe is asked. Raises NotRefundable."""
        with order.locked():
            if order.payment_status != PaymentStatus.PAID:
                raise NotRefundable("Nothing has been paid that could be refunded.")
            if self.filter(order=order, status=RefundStatus.REQUESTED).exists():
                raise NotRefundable("Another refund of this order is just being made.")
            if not 0 < amount <= order.refundable_amount:
                raise NotRefundable("That is more than what is left to refund.")
            refund = self.create(order=order, amount=amount, reason=reason, note=note, requested_by_id=who_id)
            self._tell(refund, order, "", Source.STAFF, who_id=who_id)
        return refund

    def record(self, order: "Order", facts: RefundFacts, source: Source) -> bool:
        """Let our row follow Stripe's refund of a paid order. Stripe's news come in any order."""
        with order.locked():
            refund = self._row(order, facts)
            before, adopted = refund.status, refund.stripe_refund_id is None
            if not refund._state.adding and not allowed(RefundStatus, before, facts.status):
                return False
            refund.stripe_refund_id, refund.status, refund.amount = facts.id, facts.status, facts.amount
            refund.failure_reason = facts.failure_reason[:200]
            refund.save()
            who_id = refund.requested_by_id if adopted else None
            self._tell(refund, order, before, source, who_id=who_id)
            return True

    def refuse(self, refund: "Refund", why: str) -> bool:
        """Stripe will not do it."""
        order = refund.order
        with order.locked():
            refund.refresh_from_db()
            if refund.status != RefundStatus.REQUESTED:
                return False
            refund.status, refund.failure_reason = RefundStatus.FAILED, why[:200]
            refund.save()
            self._tell(refund, order, RefundStatus.REQUESTED, Source.STAFF, who_id=refund.requested_by_id)
            return True

    def unanswered(self, for_longer_than: timedelta) -> "RefundQuerySet":
        """Asked for at Stripe so long ago, and no word since."""
        return self.filter(status=RefundStatus.REQUESTED, created_at__lt=Now() - for_longer_than)

    def _row(self, order: "Order", facts: RefundFacts) -> "Refund":
        own = self.filter(order=order).select_for_update()
        known = own.filter(stripe_refund_id=facts.id).first()
        ours = own.filter(public_id__in=[facts.ours] if facts.ours else [])
        asked = ours.filter(status=RefundStatus.REQUESTED).first()
        return known or asked or Refund(order=order, amount=facts.amount, reason=facts.reason, status="")

    def _tell(
        self, refund: "Refund", order: "Order", before: str, source: Source, *, who_id: int | None
    ) -> None:
        gone = self.filter(order=order, status__in=REFUNDED).aggregate(sum=Sum("amount"))["sum"] or 0
        order._change(
            OrderChange.What.REFUND,
            before,
            refund.status,
            source,
            who_id=who_id,
            amount=refund.amount,
            mail="refund" if refund.status == RefundStatus.SUCCEEDED else "",
            refunded_amount=min(gone, order.amount_total),
        )
        if gone > order.amount_total:
            order._flag("More was refunded at Stripe than the order cost.", source)


class Refund(models.Model):
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey("shop.Order", models.PROTECT, related_name="refunds")
    stripe_refund_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001  unique when there
    amount = models.BigIntegerField(help_text="In minor units of the order's currency")
    status = models.CharField(max_length=20, choices=RefundStatus, default=RefundStatus.REQUESTED)
    reason = models.CharField(max_length=50, blank=True, help_text="In Stripe's words")
    note = models.CharField(max_length=500, blank=True, help_text="Why, in staff's words")
    failure_reason = models.CharField(max_length=200, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["created_at"], name="refunds_by_time")]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_is_of_something"),
            models.CheckConstraint(condition=Q(status__in=list(RefundStatus)), name="refund_status_known"),
            models.CheckConstraint(
                condition=Q(stripe_refund_id__isnull=False)
                | Q(status__in=[RefundStatus.REQUESTED, RefundStatus.FAILED]),
                name="refund_is_made_at_stripe",
            ),
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(status=RefundStatus.REQUESTED),
                name="one_refund_asked_for_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stripe_refund_id or self.public_id} ({self.status})"
