"""An order's way to Stripe's payment page, and away from it: `order.checkout.attach_session(…)`.

That somebody wants it cancelled is news, so Order's rules for verbs hold. Which session it has is none: no
version, no announcement, one UPDATE on a condition, and afterwards the order is as its row.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now

from shop.models.moves import PaymentStatus
from shop.models.timeline import OrderChange, Source

if TYPE_CHECKING:
    from shop.models.order_queries import OrderQuerySet
    from shop.models.orders import Order

# Stripe wants at least 30 minutes, counted by its own clock when it is asked. Ours is the database's:
# by its own, a web host whose clock is slow could not sell at all.
CHECKOUT_LASTS = timedelta(minutes=31)


@dataclass(frozen=True, slots=True)
class Checkout:
    order: "Order"

    def ask_to_cancel(self, *, source: Source, who_id: int | None = None) -> bool:
        """Remember that the session is ended on purpose; whether there still is something to cancel.

        Whoever hears first that it has ended, webhook or caller, cancels the order (`Order.expire`). What
        staff want, a shopper's wish does not replace.
        """
        with self.order.locked():
            if self.order.is_open and self.order.cancelling not in (source, Source.STAFF):
                self._wish(source, source, who_id)
            return self.order.is_open

    def keep(self) -> None:
        """A shopper who goes to pay it does not want it cancelled any more. What staff want stands."""
        with self.order.locked():
            if self.order.is_open and self.order.cancelling == Source.SHOPPER:
                self._wish("", Source.SHOPPER, None)

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
            checkout_attempt=attempt + 1, checkout_expires_at=Now() + CHECKOUT_LASTS
        )
        self.order.refresh_from_db()

    def _wish(self, after: str, source: Source, who_id: int | None) -> None:
        what, before = OrderChange.What.CANCELLING, self.order.cancelling
        wish: dict[str, Any] = {"cancelling": after, "cancelling_who_id": who_id}
        self.order._change(what, before, after, source, who_id=who_id, **wish)

    def _row(self, **condition: object) -> "OrderQuerySet":
        return type(self.order).objects.filter(pk=self.order.pk, **condition)
