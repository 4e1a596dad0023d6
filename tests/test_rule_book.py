"""The rule book: whatever happens to orders, in whatever order it is told, money and stock come out right."""

import asyncio
import os

import pytest
import stripe as sdk
from django.db import IntegrityError
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from shop.signals import order_changed, stock_changed
from tests import factories
from tests.rule_book import mutants
from tests.rule_book.api import open_counter
from tests.rule_book.crowd import crowd
from tests.rule_book.staff import RuleBook
from tests.rule_book.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = int(os.environ.get("RULE_BOOK_EXAMPLES", "30"))
"""Lives of a shop, each of some thirty things that happen."""


@pytest.fixture
def stage(at_once, settings, monkeypatch):
    for signal in (order_changed, stock_changed):  # nobody looks
        monkeypatch.setattr(signal, "receivers", [])
    monkeypatch.setattr(sdk.HTTPClient, "INITIAL_DELAY", 0)  # seconds between the tries of Stripe's SDK
    monkeypatch.setattr(sdk.HTTPClient, "MAX_DELAY", 0)
    with open_counter() as counter, asyncio.Runner() as runner:
        settings.STRIPE_API_BASE = counter.url
        yield Stage(counter, at_once, factories.user().pk, runner)


@pytest.fixture
def play(stage):
    """Run the rule book; keyword arguments are hypothesis's settings."""
    book = type("RuleBook", (RuleBook,), {"stage": stage})
    return lambda **how: run_state_machine_as_test(book, settings=profile(**how))


def profile(**how):
    return settings(
        **{
            "max_examples": EXAMPLES,
            "stateful_step_count": 30,
            "deadline": None,
            "suppress_health_check": list(HealthCheck),
        }
        | how
    )


def test_money_and_stock_come_out_right_whatever_happens(play):
    play()


def test_money_and_stock_come_out_right_when_everything_happens_at_once(stage):
    for seed in range(5):
        crowd(stage, seed)


# --- each of these has been seen red ----------------------------------------------------------------


@pytest.mark.parametrize(
    "mutant",
    [mutants.no_event_key, mutants.no_allowed_move_check, mutants.no_hold_release],
    ids=lambda mutant: mutant.__name__,
)
def test_a_shop_that_is_broken_is_noticed(play, monkeypatch, mutant):
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        play(max_examples=100, phases=[Phase.generate], derandomize=True, database=None)


def test_a_shop_that_locks_no_rows_is_noticed(stage, monkeypatch):
    mutants.no_row_lock(monkeypatch)
    with pytest.raises((AssertionError, IntegrityError)):  # noqa: PT012
        for seed in range(20):
            crowd(stage, seed)
