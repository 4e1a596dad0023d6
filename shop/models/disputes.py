"""Disputes: what a cardholder's bank takes back, or asks about."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from shop.models.moves import HARMLESS, DisputeStatus, allowed
from shop.models.timeline import OrderChange, Source

if TYPE_CHECKING:
    from shop.models.orders import Order


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """The part of Stripe's Dispute that matters here. `amount` in minor units of `currency`."""

    id: str
    status: DisputeStatus
    amount: int
    currency: str
    payment_intent_id: str
    reason: str
    evidence_due_by: datetime | None


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def record(self, order: "Order", facts: DisputeFacts, source: Source) -> bool:
        """Let our row follow Stripe's dispute of a paid order; pauses the fulfilment unless it is harmless.

        A verb of the order, whose rules hold here, too. Stripe's news come in any order.
        """
        with order.locked():
            row = self.filter(order=order, stripe_dispute_id=facts.id).select_for_update().first()
            before = row.status if row else ""
            if row and not allowed(DisputeStatus, before, facts.status):
                return False
            row = row or Dispute(order=order, stripe_dispute_id=facts.id)
            row.status, row.amount, row.currency = facts.status, facts.amount, facts.currency
            row.reason, row.evidence_due_by = facts.reason, facts.evidence_due_by
            row.save()
            disputed = self.filter(order=order).exclude(status__in=HARMLESS).exists()
            order._change(
                OrderChange.What.DISPUTE, before, row.status, source, amount=row.amount, disputed=disputed
            )
            return True


class Dispute(models.Model):
    order = models.ForeignKey("shop.Order", models.PROTECT, related_name="disputes")
    stripe_dispute_id = models.CharField(max_length=255, unique=True)
    amount = models.BigIntegerField(help_text="In minor units")
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=30, choices=DisputeStatus)
    reason = models.CharField(max_length=50, blank=True, help_text="In Stripe's words")
    evidence_due_by = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="dispute_amount_not_negative"),
            models.CheckConstraint(condition=Q(status__in=list(DisputeStatus)), name="dispute_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.stripe_dispute_id} ({self.status})"
