"""Ways to break the shop, each of which the rule book must notice."""

import pytest

from shop.models.moves import MOVES
from shop.models.products import ProductQuerySet
from tests import mutants


def no_event_key(monkeypatch: pytest.MonkeyPatch) -> None:
    mutants.no_event_key(monkeypatch.setattr)


def no_row_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    mutants.no_row_lock(monkeypatch.setattr)


def no_allowed_move_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any state may follow any other, itself included."""
    for kind in MOVES:
        monkeypatch.setitem(MOVES, kind, dict.fromkeys(kind, frozenset(kind)))


def no_hold_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an order held that came to nothing stays held."""
    monkeypatch.setattr(ProductQuerySet, "release", lambda self, order_pk: None)
