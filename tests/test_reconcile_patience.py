"""The reconciler while Stripe is busy, or away, or the time is over."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db.models import F

from shop import patience
from shop.models import (
    Order,
    PaymentStatus,
)
from shop.patience import Patience
from shop.reconcile import Reconciler
from tests import factories
from tests.reconciling import age, bought, paid_at_stripe, run, state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_retries", "shopper_is_here")]


def test_when_stripe_says_too_many_everybody_keeps_still_and_nothing_is_lost(
    line, stripe, shopper, bell, monkeypatch
):
    monkeypatch.setattr(patience, "WAITS", (0.01,) * 5)
    orders = [paid_at_stripe(stripe, bought(shopper, factories.product())) for _ in range(3)]
    Order.objects.update(placed_at=F("placed_at") - timedelta(minutes=11))
    line.next_come(*[429] * 4)

    summary = run()
    assert {state(order)[0] for order in orders} == {PaymentStatus.PAID}
    assert (summary.unanswered, summary.stopped) == (0, "")


def test_a_stripe_that_goes_on_saying_too_many_is_left_alone_until_the_next_run(
    line, stripe, shopper, bell, monkeypatch
):
    monkeypatch.setattr(patience, "WAITS", (0.01,) * 2)
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=11)
    line.next_come(*[429] * 2)

    assert "no more requests" in run().stopped
    assert state(order) == (PaymentStatus.PENDING, 1)
    run()
    assert state(order)[0] == PaymentStatus.PAID


def test_a_stripe_that_is_away_is_not_asked_for_every_order(line, stripe, shopper, bell):
    orders = [bought(shopper, factories.product()) for _ in range(30)]
    Order.objects.update(placed_at=F("placed_at") - timedelta(minutes=11))
    line.next_come(*[503] * 200)

    summary = run()
    assert summary.stopped == "Stripe does not answer."
    assert summary.orders_asked < 15
    assert {state(order) for order in orders} == {(PaymentStatus.PENDING, 1)}


def test_a_run_ends_when_its_time_is_over(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=11)

    async def late():
        return await Reconciler(patience=Patience(until=asyncio.get_running_loop().time() - 1)).run()

    assert "time is over" in async_to_sync(late)().stopped
    assert state(order) == (PaymentStatus.PENDING, 1)
