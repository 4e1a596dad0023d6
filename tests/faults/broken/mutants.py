"""Ways to break the shop, each of which the checker must notice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction


def no_event_key() -> None:
    """Every delivery counts as the first."""
    from shop.models import Outcome
    from shop.models.events import StripeEventQuerySet

    remember = StripeEventQuerySet.receive

    def receive(self: StripeEventQuerySet, *event: Any, **how: Any) -> str:
        remember(self, *event, **how)
        return Outcome.RECEIVED

    StripeEventQuerySet.receive = receive  # type: ignore[method-assign]


def no_row_lock() -> None:
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

    Order.locked = locked  # type: ignore[method-assign]
    OrderQuerySet.locking = locking  # type: ignore[method-assign]


def no_version_guard() -> None:
    """A page is sent whatever comes, old or known."""
    from realtime.pages import Page

    Page.wants = lambda self, key, version, changed_at: True  # type: ignore[method-assign]


def no_sweep() -> None:
    """Nobody looks for what no hurry-up brought."""
    import asyncio

    from realtime.sweep import Sweep

    async def patrol(self: Sweep) -> None:
        await asyncio.sleep(3600)

    Sweep.patrol = patrol  # type: ignore[method-assign]


def no_catch_up() -> None:
    """A page that opens is taken to show what the database says."""
    import json
    import time

    from realtime.sweep import Sweep

    async def greet(self: Sweep) -> None:
        await self._hub.somebody_waits.wait()
        self._hub.somebody_waits.clear()
        waiting, self._hub.waiting = self._hub.waiting, set()
        await self._hub.settled()
        for page in waiting & self._hub.pages:
            page.forget_before(time.time())
            page.confirm(json.dumps({"as_of": time.time()}))

    Sweep.greet = greet  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant for mutant in (no_event_key, no_row_lock, no_version_guard, no_sweep, no_catch_up)
}
