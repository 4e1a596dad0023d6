"""Staff's dashboards while payments pour in: whether each shows all of it, how late, and at what cost.

Payments leave at their time, evenly spaced, whether or not the earlier ones are answered.
"""

import asyncio
import re
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async

from bench.report import Row, milliseconds, percentile, progress
from bench.stage import Server, computed, server
from bench.staff import log_in
from bench.stripe_stub import AMOUNT, CURRENCY, session
from bench.wire import PATIENCE, Connection, connection, load, request, sockets
from realtime.hub import MOST_PAGES
from realtime.panels import render_panel
from realtime.sweep import INTERVAL
from shop.models import Order, PaymentStatus, Product
from shop.models.clock import database_now
from shop.shoppers import Shopper
from tests.stripe_events import event, signed

PAGES = 50
RATE = 20
"""Payments a second."""
SECONDS = 60
WARM_UP = 5
"""Seconds of the same before them that do not count."""
PRODUCTS = 20
"""Orders are of one each, in turns: payments of the same product wait for each other's commit."""
ROW = re.compile(rb'<li id="row-([0-9a-f-]{36})"[^>]*? data-version="([0-9]+)"')
NUMBERS = b'<section id="numbers"'
VERSION = re.compile(rb' data-version="[0-9]+"')


@dataclass(slots=True)
class Dashboard:
    """What one page shows. `arrivals`: when each state of a row came, by `time.perf_counter`."""

    rows: dict[str, int] = field(default_factory=dict)
    arrivals: dict[tuple[str, int], float] = field(default_factory=dict)
    numbers: bytes = b""

    def on_text(self, text: bytes, now: float) -> None:
        if row := ROW.search(text):
            key, version = row[1].decode(), int(row[2])
            self.rows[key] = version
            self.arrivals.setdefault((key, version), now)
        elif NUMBERS in text:
            self.numbers = VERSION.sub(b"", text)

    def shows(self, truth: "Truth") -> bool:
        return truth.numbers in self.numbers and all(
            self.rows.get(key) == version for key, version in truth.rows.items()
        )


@dataclass(frozen=True, slots=True)
class Truth:
    """What the database says. `changed_at` is of a row's newest version, in seconds since 1970."""

    rows: Mapping[str, int]
    changed_at: Mapping[str, float]
    numbers: bytes


@dataclass(slots=True)
class Run:
    """`answers`: seconds that each webhook waited for its own. `memory`: when, and the bytes that it was."""

    answers: list[float] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    late: float = 0.0
    """The most that a payment left after its time, by our own fault."""
    computed: float = 0.0
    """Seconds of a processor that the web process had."""
    lags: list[float] = field(default_factory=list)
    """From a row's newest version to its frame, for each payment at each dashboard that shows it."""
    converged: int = 0

    @property
    def growth(self) -> float:
        """Bytes a minute, in the second half."""
        times, sizes = zip(*self.memory[len(self.memory) // 2 :], strict=True)
        return statistics.linear_regression(times, sizes).slope * 60


def measure() -> list[Row]:
    products = [_product(number) for number in range(PRODUCTS)]
    progress("  orders to be paid …")
    orders = _place(products, RATE * (WARM_UP + SECONDS))
    with server() as shop:
        run = asyncio.run(_measure(shop, orders))
    progress(f"  payments left {milliseconds(run.late)} late at most")
    before, after = (run.memory[which][1] / 2**20 for which in (0, -1))
    return [
        Row(
            f"{PAGES} dashboards, {RATE} payments/s for {SECONDS} s: show all and the sums",
            f"{run.converged} of {PAGES}",
            target=f"{PAGES} of {PAGES}",
        ),
        Row("    commit → frame, p50 / p95", _both(run.lags, 50, 95)),
        Row("    until the webhook's answer, p50 / p99", _both(run.answers, 50, 99)),
        Row("    processor time of the web process", f"{run.computed / SECONDS:.0%} of a core"),
        Row("    its memory before / after", f"{before:.1f} / {after:.1f} MB", target="flat"),
        Row("    its growth in the second half", f"{run.growth / 2**20:+.1f} MB/min", target="flat"),
    ]


async def _measure(shop: Server, orders: Sequence[Order]) -> Run:
    run = Run()
    async with _dashboards(shop) as dashboards:
        progress(f"  {len(dashboards)} dashboards open")
        await _pay(shop, orders[: RATE * WARM_UP], Run())
        await asyncio.sleep(INTERVAL + 1)  # a patrol has passed
        epoch = time.time() - time.perf_counter()
        before = computed(shop.process)
        async with _watched(shop, run):
            await _pay(shop, orders[RATE * WARM_UP :], run)
        run.computed = computed(shop.process) - before
        truth = await _converge(dashboards, orders)
        for dashboard in dashboards:
            run.converged += dashboard.shows(truth)
            run.lags += _lags(dashboard, truth, orders[RATE * WARM_UP :], epoch)
    return run


@asynccontextmanager
async def _dashboards(shop: Server) -> AsyncIterator[list[Dashboard]]:
    """By as many members of staff as the limit of pages for one asks for."""
    dashboards = [Dashboard() for _ in range(PAGES)]
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(connection(shop))
        for number, dashboard in enumerate(dashboards):
            if number % MOST_PAGES == 0:
                cookie = await log_in(http, shop)
            page = await load(http, shop, "/dashboard/", session=cookie)
            await stack.enter_async_context(sockets(shop, [page], dashboard.on_text))
        yield dashboards


async def _pay(shop: Server, orders: Sequence[Order], run: Run) -> None:
    idle: list[Connection] = []
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE + len(orders) / RATE):
        async with asyncio.TaskGroup() as payments:
            start = time.perf_counter()
            for number, order in enumerate(orders):
                due = start + number / RATE
                await asyncio.sleep(due - time.perf_counter())
                run.late = max(run.late, time.perf_counter() - due)
                stripe = idle.pop() if idle else await stack.enter_async_context(connection(shop))
                payments.create_task(_deliver(shop, stripe, idle, order, run))


async def _deliver(shop: Server, stripe: Connection, idle: list[Connection], order: Order, run: Run) -> None:
    body, headers = signed(event("checkout.session.completed", session("paid", order.public_id)))
    start = time.perf_counter()
    stripe.send(
        request(shop, "POST", "/stripe-webhook/", body.encode(), Content_Type="application/json", **headers)
    )
    if (answer := await stripe.answer()).status != 200:
        raise RuntimeError(f"A webhook answered {answer.status}")
    run.answers.append(time.perf_counter() - start)
    idle.append(stripe)


@asynccontextmanager
async def _watched(shop: Server, run: Run) -> AsyncIterator[None]:
    """Its memory, each second."""

    async def watch() -> None:
        while True:
            run.memory.append((time.perf_counter(), shop.resident()))
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _converge(dashboards: Sequence[Dashboard], orders: Sequence[Order]) -> Truth:
    """What they should show; waits until they do, or have had every chance."""
    start = time.perf_counter()
    while True:
        truth = await sync_to_async(_truth)(orders)
        if all(dashboard.shows(truth) for dashboard in dashboards):
            progress(f"  the last one shows all {time.perf_counter() - start:.1f} s after the last answer")
            return truth
        if time.perf_counter() > start + PATIENCE:
            return truth
        await asyncio.sleep(0.1)


def _truth(orders: Sequence[Order]) -> Truth:
    as_of = database_now().timestamp()
    found = list(Order.objects.filter(pk__in=[order.pk for order in orders]))
    if unpaid := [order for order in found if order.payment_status != PaymentStatus.PAID]:
        raise RuntimeError(f"{len(unpaid)} orders are not paid")
    return Truth(
        {str(order.public_id): order.version for order in found},
        {str(order.public_id): order.updated_at.timestamp() for order in found},
        VERSION.sub(b"", render_panel("numbers", "", as_of).encode().strip()),
    )


def _lags(dashboard: Dashboard, truth: Truth, orders: Sequence[Order], epoch: float) -> list[float]:
    states = [(key, truth.rows[key]) for order in orders for key in [str(order.public_id)]]
    return [
        epoch + dashboard.arrivals[state] - truth.changed_at[state[0]]
        for state in states
        if state in dashboard.arrivals
    ]


def _both(seconds: Sequence[float], low: int, high: int) -> str:
    return f"{percentile(seconds, low) * 1000:.0f} / {percentile(seconds, high) * 1000:.0f} ms"


# --- orders ---------------------------------------------------------------------------------------


def _product(number: int) -> Product:
    return Product.objects.create(
        slug=f"dashboard-{number}",
        name=f"Dashboard {number}",
        unit_amount=AMOUNT,
        currency=CURRENCY,
        stock=1_000_000,
    )


def _place(products: Sequence[Product], count: int) -> list[Order]:
    """Pending ones, by the shop's own verb, each of a guest of its own."""
    return [
        Order.place(Shopper(guest_id=uuid.uuid4()), uuid.uuid4().hex, [(products[number % PRODUCTS], 1)])
        for number in range(count)
    ]
