"""An order's way to Stripe's payment page, and away from it: `order.checkout.attach_session(…)`.

This is no news for a shopper: no lock, no version, no announcement. Each is one UPDATE on a condition, and
afterwards the order is as its row.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from shop.models.moves import PaymentStatus
from shop.models.timeline import Source

if TYPE_CHECKING:
    from shop.models.order_queries import OrderQuerySet
    from shop.models.orders import Order

# Stripe wants at least 30 minutes, counted by its own clock at the moment it is asked.
CHECKOUT_LASTS = timedelta(minutes=31)


@dataclass(frozen=True, slots=True)
class Checkout:
    order: "Order"

    def ask_to_cancel(self, *, source: Source, who_id: int | None = None) -> bool:
        """Remember that the session is ended on purpose; whether there still is something to cancel.

        Whoever hears first that it has ended, webhook or caller, cancels the order (`Order.expire`).
        """
        pending = self._row(payment_status=PaymentStatus.PENDING)
        asked = pending.update(cancelling=source, cancelling_who=who_id)
        self.order.refresh_from_db()
        return bool(asked)

    def keep(self) -> None:
        """A shopper who goes to pay it does not want it cancelled any more. What staff want stands."""
        self._row(cancelling=Source.SHOPPER).update(cancelling="")
        self.order.refresh_from_db()

    def attach_session(self, session_id: str) -> bool:
        """Whether this is the order's Checkout Session now: not if it has another, or is no longer open."""
        free = self._row(stripe_session_id=None, payment_status=PaymentStatus.PENDING)
        attached = free.update(stripe_session_id=session_id)
        self.order.refresh_from_db()
        return bool(attached) or self.order.stripe_session_id == session_id

    def forget_session(self, session_id: str) -> None:
        """Stripe does not know it (any more)."""
        if self._row(stripe_session_id=session_id).update(stripe_session_id=None):
            self.next_attempt()
        self.order.refresh_from_db()

    def next_attempt(self) -> None:
        """Ask Stripe afresh: under a new idempotency key, with the full time to pay. Once, if two want to."""
        attempt = self.order.checkout_attempt
        self._row(checkout_attempt=attempt).update(
            checkout_attempt=attempt + 1, checkout_expires_at=timezone.now() + CHECKOUT_LASTS
        )
        self.order.refresh_from_db()

    def _row(self, **condition: object) -> "OrderQuerySet":
        return type(self.order).objects.filter(pk=self.order.pk, **condition)
