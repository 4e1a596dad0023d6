"""`manage.py reconcile` over many open orders that no webhook has told about.

By Stripe's word a third of them is paid, a third still open and a third expired.
"""

import os
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path

from django.db.models import Count
from django.utils import timezone

from bench.report import Row, progress
from bench.stage import resident
from bench.stripe_stub import AMOUNT, CURRENCY, STATES, Stub, session_id, stripe_stub
from sandbox.environment import ROOT
from sandbox.problem import Problem
from sandbox.processes import Process
from shop.models import Order, OrderChange, OrderLine, PaymentStatus, Product, Source
from shop.models.checkout import CHECKOUT_LASTS

ORDERS = 9_999
PRODUCTS = 20
AGE = timedelta(minutes=20)
"""Of the orders: what is younger than ten minutes still has time."""
BATCH = 1_000
"""A multiple of PRODUCTS."""
PATIENCE = 3_600
"""Seconds after which something is wrong."""
ASKED = "GET /v1/checkout/sessions/:id"
ENDS = {"paid": PaymentStatus.PAID, "open": PaymentStatus.PENDING, "expired": PaymentStatus.EXPIRED}


@dataclass(frozen=True, slots=True)
class Sample:
    """How far it is, and the bytes of memory that it has."""

    asked: int
    resident: int


def measure() -> list[Row]:
    _insert()
    with stripe_stub() as stub:
        seconds, samples = _run(stub)
        requests = stub.counts()
    _check()
    memory = [_at(samples, share) / 2**20 for share in (0.1, 0.5, 1.0)]
    return [
        Row(f"reconciler, {ORDERS:,} open orders", f"{ORDERS / seconds:,.0f} orders/s"),
        Row("reconciler, requests to Stripe for each order", f"{requests[ASKED] / ORDERS:.2f}", target="≤ 1"),
        Row(
            "reconciler, memory at a tenth / half / all of them",
            " / ".join(f"{megabytes:.0f}" for megabytes in memory) + " MB",
            target="flat",
        ),
    ]


def _run(stub: Stub) -> tuple[float, list[Sample]]:
    """Seconds from its first question to its end, and its memory on the way."""
    env = {
        **os.environ,
        "STRIPE_API_BASE": stub.origin,
        # Not the shop's: nothing of this may ever reach a real account.
        "STRIPE_SECRET_KEY": "sk_test_bench",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "reconcile"]
    with tempfile.TemporaryDirectory(prefix="shopbell-bench-") as logs:
        process = Process("reconcile", command, logs=Path(logs), env=env).start()
        try:
            return _watch(process, stub)
        finally:
            process.stop()


def _watch(process: Process, stub: Stub) -> tuple[float, list[Sample]]:
    start, samples, tenth = 0.0, list[Sample](), 0
    deadline = time.perf_counter() + PATIENCE
    while not process.wait(0.1):
        asked = stub.counts()[ASKED]
        if asked and not samples:
            start = time.perf_counter()
        if asked:
            samples.append(Sample(asked, resident(process) or samples[-1].resident))  # none once it has ended
        if asked * 10 // ORDERS > tenth:
            tenth = asked * 10 // ORDERS
            progress(f"  {asked:,} of {ORDERS:,} orders")
        if time.perf_counter() > deadline:
            raise Problem(f"The reconciler took more than {PATIENCE} s.\n{process.log_tail()}")
    if process.exit_code != 0:
        raise Problem(process.obituary())
    return time.perf_counter() - start, samples


def _at(samples: Sequence[Sample], share: float) -> int:
    """Bytes when so much was done."""
    return next(sample for sample in samples if sample.asked >= share * samples[-1].asked).resident


def _check() -> None:
    """Each order stands as its session does."""
    ours = Order.objects.exclude(stripe_session_id=None)  # other measurements have left theirs without
    found = dict(ours.order_by().values_list("payment_status").annotate(Count("pk")))
    wanted = {str(ENDS[state]): ORDERS // len(STATES) for state in STATES}
    if found != wanted or ours.exclude(needs_attention="").exists():
        raise Problem(f"The reconciler left {found} and not {wanted}.")


# --- orders ---------------------------------------------------------------------------------------


def _insert() -> None:
    """As if placed by the shop's verb, their sessions attached; ten thousand of those would take a minute."""
    products = [_product(number) for number in range(PRODUCTS)]
    placed_at = timezone.now() - AGE
    for start in range(0, ORDERS, BATCH):
        numbers = range(start, min(start + BATCH, ORDERS))
        orders = Order.objects.bulk_create(_order(number, placed_at) for number in numbers)
        OrderLine.objects.bulk_create(
            OrderLine(order=order, product=product, name=product.name, unit_amount=AMOUNT, quantity=1)
            for order, product in zip(
                orders, cycle(products), strict=False
            )  # BATCH is a multiple of PRODUCTS
        )
        OrderChange.objects.bulk_create(
            OrderChange(
                order=order,
                version=1,
                what=OrderChange.What.PLACED,
                after=PaymentStatus.PENDING,
                source=Source.SHOPPER,
                at=placed_at,
            )
            for order in orders
        )


def _order(number: int, placed_at: datetime) -> Order:
    public_id = uuid.uuid4()
    return Order(
        public_id=public_id,
        guest_id=uuid.uuid4(),
        cart=public_id.hex,
        currency=CURRENCY,
        amount_total=AMOUNT,
        stripe_session_id=session_id(STATES[number % len(STATES)], public_id),
        checkout_expires_at=placed_at + CHECKOUT_LASTS,
        placed_at=placed_at,
        updated_at=placed_at,
    )


def _product(number: int) -> Product:
    return Product.objects.create(
        slug=f"reconciler-{number}",
        name=f"Reconciler {number}",
        unit_amount=AMOUNT,
        currency=CURRENCY,
        stock=ORDERS,
        held=len(range(number, ORDERS, PRODUCTS)),
    )
