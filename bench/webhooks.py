"""Signed webhooks applied per second by one process: ours and dj-stripe's, the same events, in turns."""

import asyncio
import statistics
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from asgiref.sync import sync_to_async

from bench import wire
from bench.load import Load, load
from bench.peer import Peer, djstripe
from bench.report import Row, milliseconds, percentile, progress, ratio
from bench.stage import Server, computed, server
from bench.stripe_stub import AMOUNT, CURRENCY, session, stripe_stub
from shop.models import Order, Outcome, PaymentStatus, Product, StripeEvent
from shop.shoppers import Shopper
from tests.stripe_events import event, signed

EVENTS = {1: 48, 8: 96, 32: 256}
"""Senders at once → events of a round."""
ROUNDS = 5
WARM_UP = 1
"""Rounds before them that do not count."""
PRODUCTS = 20
"""Orders are of one each, in turns: payments of the same product wait for each other's commit."""

Signed = tuple[str, dict[str, str]]
"""A body and its headers."""


@dataclass(frozen=True, slots=True)
class Applied:
    """`computed`: seconds of a processor that the web process had for each event."""

    load: Load
    computed: float


Rounds = dict[int, list[tuple[Applied, Applied]]]
"""Senders → ours and theirs, round by round."""


def measure() -> list[Row]:
    products = [_product(number) for number in range(PRODUCTS)]
    with stripe_stub() as stub, djstripe(stub) as peer, server() as shop:
        rounds = asyncio.run(_measure(shop, peer, products))
        asked, events = stub.counts(), peer.processed()
    progress(f"  dj-stripe asked Stripe {asked.total() / events:.1f} times for each event")
    return [row for senders, loads in rounds.items() for row in _rows(senders, loads)]


async def _measure(shop: Server, peer: Peer, products: Sequence[Product]) -> Rounds:
    rounds: Rounds = {senders: [] for senders in EVENTS}
    async with wire.connection(shop) as browser:
        page = await wire.load(browser, shop)
    # Somebody looks at the shop: a process without open pages tells others of a change in another way.
    async with wire.sockets(shop, [page], _ignore):
        for number in range(WARM_UP + ROUNDS):
            progress(f"  round {number + 1} of {WARM_UP + ROUNDS}")
            for senders, loads in rounds.items():
                orders = await sync_to_async(_place)(products, EVENTS[senders])
                pair = await _in_turns(shop, peer, orders, senders, ours_first=number % 2 == 0)
                if number >= WARM_UP:
                    loads.append(pair)
    return rounds


async def _in_turns(
    shop: Server, peer: Peer, orders: Sequence[Order], senders: int, *, ours_first: bool
) -> tuple[Applied, Applied]:
    """The payments of these orders, told to the one and to the other."""
    payments = [signed(_paid(order)) for order in orders]

    async def ours() -> Applied:
        measured = await _apply(shop, "/stripe-webhook/", payments, senders)
        await sync_to_async(_check)(orders)
        return measured

    async def theirs() -> Applied:
        before = await sync_to_async(peer.processed)()
        measured = await _apply(peer.server, peer.path, payments, senders)
        if (processed := await sync_to_async(peer.processed)() - before) != len(orders):
            raise RuntimeError(f"dj-stripe processed {processed} of {len(orders)} events")
        return measured

    if ours_first:
        return await ours(), await theirs()
    after = await theirs()
    return await ours(), after


async def _apply(where: Server, path: str, payments: Sequence[Signed], senders: int) -> Applied:
    requests = [
        wire.request(where, "POST", path, body.encode(), Content_Type="application/json", **headers)
        for body, headers in payments
    ]
    before = computed(where.process)
    measured = await load(where.port, requests, senders)
    return Applied(measured, (computed(where.process) - before) / len(payments))


def _rows(senders: int, rounds: Sequence[tuple[Applied, Applied]]) -> list[Row]:
    ours, theirs = ([pair[which] for pair in rounds] for which in (0, 1))
    faster = statistics.median(mine.load.per_second / other.load.per_second for mine, other in rounds)
    mine, other = (statistics.median(each.computed for each in side) for side in (ours, theirs))
    full = senders == max(EVENTS)
    return [
        Row(
            f"webhooks applied, {senders} at once",
            _per_second(ours),
            f"{_per_second(theirs)} dj-stripe",
            ratio(faster, 1),
            "≥ 6 ×" if full else "",
        ),
        Row(
            "    until the answer, p50 / p99",
            _latency(ours),
            f"{_latency(theirs)} dj-stripe",
            target="p99 lower" if full else "",
        ),
        Row(
            "    processor time of each",
            milliseconds(mine),
            f"{milliseconds(other)} dj-stripe",
            ratio(other, mine),
        ),
    ]


def _per_second(side: Sequence[Applied]) -> str:
    return f"{statistics.median(each.load.per_second for each in side):,.0f}/s"


def _latency(side: Sequence[Applied]) -> str:
    seconds = [latency for each in side for latency in each.load.latencies]
    return f"{percentile(seconds, 50) * 1000:,.0f} / {percentile(seconds, 99) * 1000:,.0f} ms"


# --- orders and their payments --------------------------------------------------------------------


def _product(number: int) -> Product:
    return Product.objects.create(
        slug=f"webhook-{number}",
        name=f"Webhook {number}",
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


def _paid(order: Order) -> dict[str, object]:
    return event("checkout.session.completed", session("paid", order.public_id))


def _check(orders: Sequence[Order]) -> None:
    """Each of them is paid, by one event that was applied."""
    pks = [order.pk for order in orders]
    paid = Order.objects.filter(pk__in=pks, payment_status=PaymentStatus.PAID, needs_attention="").count()
    applied = StripeEvent.objects.filter(order__in=pks, outcome=Outcome.APPLIED, attempts=1).count()
    if paid != len(orders) or applied != len(orders):
        raise RuntimeError(f"{paid} of {len(orders)} orders are paid, {applied} events applied")


def _ignore(text: bytes, now: float) -> None:
    pass
