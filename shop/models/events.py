"""The inbox of Stripe's events: its primary key makes each of them count once."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now

if TYPE_CHECKING:
    from shop.models.orders import Order


class Outcome(models.TextChoices):
    RECEIVED = "received"
    APPLIED = "applied", "Applied"
    IGNORED = "ignored", "Ignored: nothing to do"
    UNMATCHED = "unmatched", "Unmatched: no such order"
    HELD = "held", "Held for staff"
    FAILED = "failed", "Failed: an error of ours"


# Worth another look when Stripe or staff send it again.
OPEN = frozenset({Outcome.RECEIVED, Outcome.UNMATCHED, Outcome.FAILED})

PURGED_AT_ONCE = 500
"""Payloads in one short transaction."""
MOST_EVENT_RETRIES = 10
"""What failed or found no order is tried again after 1, 2, 4, … minutes, the last time after 17 hours."""


class StripeEventQuerySet(models.QuerySet["StripeEvent"]):
    def receive(
        self, event_id: str, event_type: str, created: int, payload: str, *, delivered: bool = True
    ) -> str:
        """Record a delivery, or only look at the event again; returns the outcome so far.

        One statement: it inserts the event or counts the delivery, and in both cases locks the row
        until the transaction ends, so the same event delivered ten times at once waits in line here.
        What was fetched from Stripe, not delivered, has no attempts.
        `created` is Stripe's, in seconds since 1970.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO shop_stripeevent AS inbox
                    (id, type, created, payload, outcome, attempts, last_received_at)
                VALUES (%s, %s, to_timestamp(%s), %s, %s, %s, clock_timestamp())
                ON CONFLICT (id) DO UPDATE SET
                    attempts = inbox.attempts + excluded.attempts,
                    last_received_at = CASE excluded.attempts
                        WHEN 0 THEN inbox.last_received_at ELSE clock_timestamp() END
                RETURNING outcome
                """,
                [event_id, event_type, created, payload, Outcome.RECEIVED, int(delivered)],
            )
            outcome: str = cursor.fetchone()[0]
        return outcome

    def settle(
        self,
        event_id: str,
        outcome: Outcome,
        order: "Order | None",
        error: str = "",
        *,
        payment_intent_id: str = "",
    ) -> bool:
        """Write down what came of it, and when to try again if that was nothing good; of what is held for
        staff also the payment.

        Returns False when it has come to nothing for the last time.
        """
        again = outcome in (Outcome.UNMATCHED, Outcome.FAILED)
        settled = [outcome, order.pk if order else None, error, payment_intent_id, event_id]
        with connection.cursor() as cursor:
            cursor.execute(_TRY_AGAIN if again else _SETTLED, settled)
            return not again or bool(cursor.fetchone()[0])

    def held_of_payment(self, payment_intent_id: str) -> "list[StripeEvent]":
        """Sessions that this payment completed but that paid no order, newest first: staff were asked to look
        at it. With their orders.
        """
        sessions = self.filter(outcome=Outcome.HELD, type__startswith="checkout.session.")
        return list(sessions.filter(payment_intent_id=payment_intent_id).select_related("order"))

    def to_try_again(self) -> "StripeEventQuerySet":
        """Those whose time has come, longest waiting first."""
        return self.filter(retry_at__lte=Now()).order_by("retry_at")

    def purge(self) -> int:
        """Empty payloads that came EVENT_PAYLOAD_DAYS ago, oldest first; how many, PURGED_AT_ONCE at most.
        Whatever else is known of the events stays, above all that they were here.

        What still waits to be applied is left as it is; what somebody works on just now is for next time.
        """
        with connection.cursor() as cursor:
            cursor.execute(_PURGE, [settings.EVENT_PAYLOAD_DAYS, PURGED_AT_ONCE])
            return int(cursor.rowcount)


_SETTLED = """
UPDATE shop_stripeevent SET outcome = %s, order_id = %s, error = %s, payment_intent_id = %s, retry_at = NULL
WHERE id = %s
"""
_TRY_AGAIN = f"""
UPDATE shop_stripeevent SET
    outcome = %s, order_id = %s, error = %s, payment_intent_id = %s, tries = tries + 1,
    retry_at = CASE WHEN tries < {MOST_EVENT_RETRIES} THEN now() + interval '1 minute' * power(2, tries) END
WHERE id = %s
RETURNING retry_at IS NOT NULL
"""  # noqa: S608  a number of ours
_PURGE = """
UPDATE shop_stripeevent SET payload = '', purged_at = now() WHERE id = ANY(ARRAY(
    SELECT id FROM shop_stripeevent
    WHERE purged_at IS NULL AND received_at < now() - interval '1 day' * %s
        AND retry_at IS NULL AND outcome <> 'received'
    ORDER BY received_at LIMIT %s FOR UPDATE SKIP LOCKED))
"""


class StripeEvent(models.Model):
    id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(max_length=255)
    created = models.DateTimeField(help_text="By Stripe's clock")
    received_at = models.DateTimeField(db_default=Now())
    last_received_at = models.DateTimeField(db_default=Now(), help_text="The newest delivery")
    commit_seconds = models.FloatField(null=True, editable=False, help_text="From its receipt to the commit")
    push_seconds = models.FloatField(
        null=True, editable=False, help_text="From the commit until open pages were told"
    )
    payload = models.TextField(help_text="The body as Stripe signed it; empty once it is purged")
    purged_at = models.DateTimeField(null=True, editable=False)
    payment_intent_id = models.CharField(
        max_length=255, blank=True, db_default="", help_text="Of a payment that is held for staff"
    )
    outcome = models.CharField(max_length=20, choices=Outcome, db_default=Outcome.RECEIVED)
    attempts = models.PositiveIntegerField(db_default=1, help_text="Deliveries of it so far")
    error = models.CharField(max_length=200, blank=True, db_default="", help_text="What went wrong last")
    tries = models.PositiveSmallIntegerField(db_default=0, help_text="How often that came to nothing")
    retry_at = models.DateTimeField(null=True, blank=True, help_text="When we look at it again by ourselves")
    order = models.ForeignKey("shop.Order", models.SET_NULL, null=True, blank=True, related_name="events")

    objects = StripeEventQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at"]
        indexes = [
            models.Index(fields=["-received_at"], name="events_newest_first"),
            models.Index(fields=["-last_received_at"], name="events_last_delivered"),
            models.Index(
                fields=["-last_received_at"],
                condition=Q(type__startswith="checkout.session.", attempts__gt=0),
                name="checkouts_last_delivered",
            ),
            models.Index(
                fields=["retry_at"], condition=Q(retry_at__isnull=False), name="events_to_try_again"
            ),
            models.Index(fields=["-received_at"], condition=Q(outcome="held"), name="events_held"),
            models.Index(
                fields=["received_at"],
                condition=Q(outcome__in=["failed", "unmatched"]),
                name="events_waiting",
            ),
            models.Index(fields=["received_at"], condition=Q(purged_at__isnull=True), name="events_to_purge"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    @property
    def is_purged(self) -> bool:
        return self.purged_at is not None


class RefusedDelivery(models.Model):
    """How many deliveries were refused in an hour, and why. No more is kept: they may be anybody's."""

    reason = models.CharField(max_length=100)
    hour = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-hour", "reason"]
        verbose_name_plural = "refused deliveries"
        constraints = [models.UniqueConstraint(fields=["hour", "reason"], name="one_count_per_reason")]

    def __str__(self) -> str:
        return f"{self.count} × {self.reason}"
