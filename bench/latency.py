"""How long a payment takes: from the start of Stripe's POST to the frame at the shopper's socket.

Beside it, payment by payment, what no way can do without: a commit and a trip through Redis.
"""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from asgiref.sync import sync_to_async
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from bench.report import Row, milliseconds, percentile, progress, ratio
from bench.stage import Server, server
from bench.wire import PATIENCE, Connection, Page, connection, load, request, sockets
from shop.models import Order, Product
from shop.shoppers import GUEST_COOKIE, Shopper, guest_id_in
from tests.stripe_events import completed, signed

GUESTS = 25
ORDERS = 10
"""Of each guest; as many pages as one shopper may have open."""
WARM_UP = 2
"""Guests that do not count."""
PAID = b'data-payment-status="paid"'
CHANNEL = "bench.round-trip"
PAYLOAD = "x" * 1000
"""About as much as an event, or the fragment of an order."""


def measure() -> list[Row]:
    bell = Product.objects.create(slug="brass-bell", name="Brass bell", unit_amount=1250, stock=1_000_000)
    with server() as shop:
        payments, bare = asyncio.run(_measure(shop, bell))
    p50, base = percentile(payments, 50), percentile(bare, 50)
    return [
        Row(
            f"payment, POST → frame, p50 of {len(payments)}",
            milliseconds(p50),
            f"{milliseconds(base)} commit + Redis",
            ratio(p50, base),
            "≤ 4.5 ×",
        ),
        Row(
            "payment, POST → frame, p95",
            milliseconds(percentile(payments, 95)),
            f"{milliseconds(percentile(bare, 95))} commit + Redis",
        ),
    ]


async def _measure(shop: Server, bell: Product) -> tuple[list[float], list[float]]:
    """Seconds that each payment and each bare round trip took, in turns."""
    payments: list[float] = []
    bare: list[float] = []
    frames: asyncio.Queue[float] = asyncio.Queue()

    def on_text(text: bytes, now: float) -> None:
        if PAID in text:
            frames.put_nowait(now)

    async with connection(shop) as browser, connection(shop) as stripe, _bare_parts() as parts:
        for number in range(GUESTS):
            if number == WARM_UP:
                payments.clear()
                bare.clear()
            orders, pages = await _orders(browser, shop, bell)
            async with sockets(shop, pages, on_text):
                for order in orders:
                    bare.append(await _round_trip(*parts))
                    payments.append(await _pay(stripe, shop, order, frames))
            if number % 5 == 4:
                progress(f"  {(number + 1) * ORDERS} of {GUESTS * ORDERS} payments")
    return payments, bare


async def _orders(browser: Connection, shop: Server, bell: Product) -> tuple[list[Order], list[Page]]:
    """A new guest's pending orders, and their pages."""
    cookie = (await load(browser, shop)).cookie
    guest = Shopper(guest_id=guest_id_in({GUEST_COOKIE: cookie}))
    place = sync_to_async(Order.place)
    orders = [await place(guest, uuid.uuid4().hex, [(bell, 2)]) for _ in range(ORDERS)]
    return orders, [await load(browser, shop, order.get_absolute_url(), cookie) for order in orders]


async def _pay(stripe: Connection, shop: Server, order: Order, frames: asyncio.Queue[float]) -> float:
    """Seconds from the first byte of the POST to the frame."""
    body, headers = signed(completed(order))
    post = request(
        shop, "POST", "/stripe-webhook/", body.encode(), Content_Type="application/json", **headers
    )
    start = time.perf_counter()
    stripe.send(post)
    async with asyncio.timeout(PATIENCE):
        arrived = await frames.get()
        answer = await stripe.answer()
    if answer.status != 200 or not frames.empty():
        raise RuntimeError(f"The webhook answered {answer.status}; {1 + frames.qsize()} frames came")
    return arrived - start


@asynccontextmanager
async def _bare_parts() -> AsyncIterator[tuple[psycopg.Connection, Redis, PubSub]]:
    """Our own connections: to the same database, with the same durability, and to Redis with a listener."""
    async with Redis.from_url(os.environ["REDIS_URL"]) as speaker, speaker.pubsub() as listener:
        await listener.subscribe(CHANNEL)
        await listener.get_message(timeout=PATIENCE)
        with psycopg.connect(os.environ["DATABASE_URL"]) as database:
            database.execute("CREATE TABLE bench_bare (id bigserial PRIMARY KEY, payload text NOT NULL)")
            database.commit()
            yield database, speaker, listener


async def _round_trip(database: psycopg.Connection, speaker: Redis, listener: PubSub) -> float:
    """Seconds for one INSERT, its COMMIT, and a message through Redis to a listener."""
    start = time.perf_counter()
    database.execute("INSERT INTO bench_bare (payload) VALUES (%s)", [PAYLOAD])
    database.commit()
    await speaker.publish(CHANNEL, PAYLOAD)
    await listener.get_message(timeout=PATIENCE)
    return time.perf_counter() - start
