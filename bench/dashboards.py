"""Staff's dashboards while payments pour in: whether each shows all of it, how late, and at what cost.

Payments leave at their time, evenly spaced, whether or not the earlier ones are answered.
"""

import asyncio
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async

from bench.report import Row, milliseconds, percentile, progress
from bench.screens import Screen, Truth
from bench.staff import log_in
from bench.stage import Server, computed, server
from bench.stripe_stub import AMOUNT, CURRENCY, session
from bench.wire import PATIENCE, Connection, connection, load, request, sockets
from realtime.hub import MOST_PAGES
from realtime.sweep import INTERVAL
from shop.models import Order, Product
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


@dataclass(slots=True)
class Run:
    answers: list[float] = field(default_factory=list)
    """Seconds that each webhook waited for its own."""
    late: float = 0.0
    """Seconds that a payment left after its time, at most: our own fault."""
    memory: list[tuple[float, int]] = field(default_factory=list)
    """Each second: when, and the web process's bytes."""
    computed: float = 0.0
    """Seconds of a processor that the web process had."""
    converged: int = 0
    lags: list[float] = field(default_factory=list)
    """Seconds from a payment's commit to its frame, for each payment at each dashboard."""

    @property
    def growth(self) -> float:
        """Bytes a minute, in the second half."""
        times, sizes = zip(*self.memory[len(self.memory) // 2 :], strict=True)
        return statistics.linear_regression(times, sizes).slope * 60


def measure() -> list[Row]:
    orders = _place(RATE * (WARM_UP + SECONDS))
    with server() as shop:
        run = asyncio.run(_measure(shop, orders[: RATE * WARM_UP], orders[RATE * WARM_UP :]))
    progress(f"  payments left {milliseconds(run.late)} late at most")
    before, after = (run.memory[which][1] / 2**20 for which in (0, -1))
    return [
        Row(
            f"{PAGES} dashboards, {RATE} payments/s for {SECONDS} s: those that show all in the end",
            f"{run.converged} of {PAGES}",
            target=f"{PAGES} of {PAGES}",
        ),
        Row("    commit → frame at each dashboard, p50 / p95", _milliseconds(run.lags, 50, 95)),
        Row("    until the webhook's answer, p50 / p99", _milliseconds(run.answers, 50, 99)),
        Row("    processor time of the web process", f"{run.computed / SECONDS:.0%} of a core"),
        Row("    its memory before / after", f"{before:.1f} / {after:.1f} MB", target="flat"),
        Row("    its growth in the second half", f"{run.growth / 2**20:+.1f} MB/min", target="flat"),
    ]


async def _measure(shop: Server, warm_up: Sequence[Order], orders: Sequence[Order]) -> Run:
    run = Run()
    async with _screens(shop) as screens:
        progress(f"  {len(screens)} dashboards open")
        await _pay(shop, warm_up, Run())
        await asyncio.sleep(INTERVAL + 1)  # a patrol has passed
        epoch, before = time.time() - time.perf_counter(), computed(shop.process)
        async with _watched(shop, run):
            await _pay(shop, orders, run)
        run.computed = computed(shop.process) - before
        truth = await _settled(screens, [*warm_up, *orders])
    run.converged = sum(screen.shows(truth) for screen in screens)
    run.lags = [lag for screen in screens for lag in screen.lags(truth, orders, epoch)]
    return run


@asynccontextmanager
async def _screens(shop: Server) -> AsyncIterator[list[Screen]]:
    """Opened by as many members of staff as the limit of pages for one asks for."""
    screens = [Screen() for _ in range(PAGES)]
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(connection(shop))
        for number, screen in enumerate(screens):
            if number % MOST_PAGES == 0:
                cookie = await log_in(http, shop)
            page = await load(http, shop, "/dashboard/", session=cookie)
            await stack.enter_async_context(sockets(shop, [page], screen.on_text))
        yield screens


async def _pay(shop: Server, orders: Sequence[Order], run: Run) -> None:
    idle: list[Connection] = []
    async with (
        AsyncExitStack() as stack,
        asyncio.timeout(PATIENCE + len(orders) / RATE),
        asyncio.TaskGroup() as payments,
    ):
        start = time.perf_counter()
        for number, order in enumerate(orders):
            due = start + number / RATE
            await asyncio.sleep(due - time.perf_counter())
            run.late = max(run.late, time.perf_counter() - due)
            stripe = idle.pop() if idle else await stack.enter_async_context(connection(shop))
            payments.create_task(_deliver(shop, stripe, idle, order, run))


async def _deliver(shop: Server, stripe: Connection, idle: list[Connection], order: Order, run: Run) -> None:
    body, headers = signed(event("checkout.session.completed", session("paid", order.public_id)))
    headers |= {"Content_Type": "application/json"}
    start = time.perf_counter()
    stripe.send(request(shop, "POST", "/stripe-webhook/", body.encode(), **headers))
    answer = await stripe.answer()
    if answer.status != 200:
        raise RuntimeError(f"A webhook answered {answer.status}")
    run.answers.append(time.perf_counter() - start)
    idle.append(stripe)


@asynccontextmanager
async def _watched(shop: Server, run: Run) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            run.memory.append((time.perf_counter(), shop.resident()))
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _settled(screens: Sequence[Screen], orders: Sequence[Order]) -> Truth:
    """What they should show, once they do or have had every chance."""
    start = time.perf_counter()
    while True:
        truth = await sync_to_async(Truth.about)(orders)
        waited = time.perf_counter() - start
        if all(screen.shows(truth) for screen in screens):
            progress(f"  the last of them shows all {waited:.1f} s after the last answer")
            return truth
        if waited > PATIENCE:
            return truth
        await asyncio.sleep(0.1)


def _milliseconds(seconds: Sequence[float], low: int, high: int) -> str:
    return f"{percentile(seconds, low) * 1000:.0f} / {percentile(seconds, high) * 1000:.0f} ms"


def _place(count: int) -> list[Order]:
    """Pending ones, by the shop's own verb, each of a guest of its own."""
    goods = {"unit_amount": AMOUNT, "currency": CURRENCY, "stock": count}
    products = [
        Product.objects.create(slug=f"dashboard-{number}", name=f"Dashboard {number}", **goods)
        for number in range(PRODUCTS)
    ]
    progress(f"  {count:,} orders …")
    return [
        Order.place(Shopper(guest_id=uuid.uuid4()), uuid.uuid4().hex, [(products[number % PRODUCTS], 1)])
        for number in range(count)
    ]
