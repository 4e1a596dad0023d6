"""The inbox of Stripe's events: its primary key makes each of them count once."""

from typing import TYPE_CHECKING

from django.db import connection, models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from shop.models.orders import Order


class Outcome(models.TextChoices):
    RECEIVED = "received"
    APPLIED = "applied", "Applied"
    IGNORED = "ignored", "Ignored: nothing to do"
    UNMATCHED = "unmatched", "Unmatched: no such order"
    HELD = "held", "Held for staff"


# An event that found no order is worth another look when Stripe or staff send it again.
OPEN = frozenset({Outcome.RECEIVED, Outcome.UNMATCHED})


class StripeEventQuerySet(models.QuerySet["StripeEvent"]):
    def receive(self, event_id: str, event_type: str, created: int, payload: str) -> str:
        """Record a delivery; returns the outcome so far.

        One statement: it inserts the event or counts the delivery, and in both cases locks the row
        until the transaction ends, so the same event delivered ten times at once waits in line here.
        `created` is Stripe's, in seconds since 1970.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO shop_stripeevent AS inbox (id, type, created, payload, outcome)
                VALUES (%s, %s, to_timestamp(%s), %s, %s)
                ON CONFLICT (id) DO UPDATE SET attempts = inbox.attempts + 1
                RETURNING outcome
                """,
                [event_id, event_type, created, payload, Outcome.RECEIVED],
            )
            outcome: str = cursor.fetchone()[0]
        return outcome

    def settle(self, event_id: str, outcome: Outcome, order: "Order | None") -> None:
        """Write down what came of it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE shop_stripeevent SET outcome = %s, order_id = %s WHERE id = %s",
                [outcome, order.pk if order else None, event_id],
            )


class StripeEvent(models.Model):
    id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(max_length=255)
    created = models.DateTimeField(help_text="By Stripe's clock")
    received_at = models.DateTimeField(db_default=Now())
    payload = models.TextField(help_text="The body as Stripe signed it")
    outcome = models.CharField(max_length=20, choices=Outcome, db_default=Outcome.RECEIVED)
    attempts = models.PositiveIntegerField(db_default=1, help_text="Deliveries of it so far")
    order = models.ForeignKey("shop.Order", models.SET_NULL, null=True, blank=True, related_name="events")

    objects = StripeEventQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["-received_at"], name="events_newest_first")]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"
