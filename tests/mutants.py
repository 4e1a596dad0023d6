"""Ways to break the shop, for those who must notice. `patch(target, name, value)` sets an attribute."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

Patch = Callable[[Any, str, Any], None]


def no_event_key(patch: Patch) -> None:
    """Every delivery counts as the first."""
    from shop.models import Outcome
    from shop.models.events import StripeEventQuerySet

    remember = StripeEventQuerySet.receive

    def receive(self: StripeEventQuerySet, *event: Any, **how: Any) -> str:
        remember(self, *event, **how)
        return Outcome.RECEIVED

    patch(StripeEventQuerySet, "receive", receive)


def no_row_lock(patch: Patch) -> None:
    """A verb goes by what it read, whatever others write meanwhile."""
    from shop.models import Order
    from shop.models.order_queries import OrderQuerySet

    @contextmanager
    def locked(self: Order) -> Iterator[None]:
        with transaction.atomic():
            if not self.is_locked:
                self.refresh_from_db()
            yield

    @contextmanager
    def locking(self: OrderQuerySet, public_id: Any) -> Iterator[Order | None]:
        with transaction.atomic():
            yield self.filter(public_id=public_id).first()

    patch(Order, "locked", locked)
    patch(OrderQuerySet, "locking", locking)
