"""Everybody at once: all that there is to tell of an order, some of it twice, and staff besides."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from shop.models import Order, PaymentStatus, Source
from tests import factories
from tests.rule_book import checks
from tests.rule_book.bank import Bank
from tests.rule_book.front_doors import post, request_refund, take_step
from tests.rule_book.stage import Stage


def crowd(stage: Stage, seed: int) -> None:
    """In an order that `seed` decides, as far as threads keep one."""
    stage.clear()
    bank = stage.counter.bank = Bank()
    bells = [factories.product(stock=5), factories.product(stock=2)]
    memory = checks.Memory({bell.pk: bell.stock for bell in bells})
    order = factories.order(None, (bells[0], 2), (bells[1], 1))
    sale = bank.open(order, order.amount_total)
    sale.complete(paid=False)
    sale.settle(succeeded=True)
    sale.move_refund(sale.refund(800, "pending", {}), "succeeded")
    sale.dispute("warning_needs_response")
    staff: list[Callable[[], Any]] = [
        partial(request_refund, order.pk, 1000),
        partial(request_refund, order.pk, 1000),
        partial(take_step, order.pk, "prepare", "unfulfilled"),
        partial(Order.objects.get(pk=order.pk).flag, "Odd.", source=Source.STAFF),
    ]
    told: list[Callable[[], Any]] = [partial(post, word.event) for word in bank.words]
    everybody = [*told, *told[:4], *staff]  # each has a connection to the database, of twenty
    Random(seed).shuffle(everybody)  # noqa: S311
    answers = stage.at_once(everybody)
    assert {answer for answer in answers if answer not in (True, False)} == {200}
    checks.always(bank, memory)
    for word in bank.words:  # those that came too early count now
        assert post(word.event) == 200
    checks.always(bank, memory)
    order.refresh_from_db()
    assert (order.payment_status, order.disputed) == (PaymentStatus.PAID, True)
    assert order.refunded_amount == 800
