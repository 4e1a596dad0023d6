"""Ways to break the shop, each of which the rule book must notice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction

from shop.models import Order, Outcome
from shop.models.events import StripeEventQuerySet
from shop.models.moves import MOVES
from shop.models.order_queries import OrderQuerySet
from shop.models.products import ProductQuerySet

Mutant = Callable[[pytest.MonkeyPatch], None]


def no_event_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every delivery counts as the first."""
    remember = StripeEventQuerySet.receive

    def receive(self: StripeEventQuerySet, *event: Any, **how: Any) -> str:
        remember(self, *event, **how)
        return Outcome.RECEIVED

    monkeypatch.setattr(StripeEventQuerySet, "receive", receive)


def no_row_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb goes by what it read, whatever others write meanwhile."""

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

    monkeypatch.setattr(Order, "locked", locked)
    monkeypatch.setattr(OrderQuerySet, "locking", locking)


def no_allowed_move_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any state may follow any other, itself included."""
    for kind in MOVES:
        monkeypatch.setitem(MOVES, kind, dict.fromkeys(kind, frozenset(kind)))


def no_hold_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an order held that came to nothing stays held."""
    monkeypatch.setattr(ProductQuerySet, "release", lambda self, order_pk: None)


MUTANTS: list[Mutant] = [no_event_key, no_row_lock, no_allowed_move_check, no_hold_release]
