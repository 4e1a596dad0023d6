"""Stripe's official client, set up as we use it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

import stripe
from asgiref.sync import sync_to_async
from django.conf import settings

from shop.connections import put_connection_back

TIME_LIMIT = 10
"""Seconds that one request to Stripe may take; the SDK's own limit is 80."""

Answer = TypeVar("Answer")

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, stripe.StripeClient] = WeakKeyDictionary()


def stripe_client() -> stripe.StripeClient:
    """The client of the running event loop: its connections belong to one loop and work in no other."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = stripe.StripeClient(
            settings.STRIPE_SECRET_KEY,
            base_addresses={"api": settings.STRIPE_API_BASE},
            # StripeClient does not heed stripe.max_network_retries and would not retry at all.
            max_network_retries=2,
            http_client=stripe.HTTPXClient(timeout=TIME_LIMIT, allow_sync_methods=True),
        )
    return _clients[loop]


async def from_stripe(call: Callable[[stripe.StripeClient], Awaitable[Answer]]) -> Answer:
    """Ask Stripe. Raises stripe.StripeError, and TimeoutError after TIME_LIMIT, retries included."""
    # Nobody waits for Stripe with a database connection in hand: a slow Stripe would empty the pool, and
    # the whole shop, webhooks included, would stand still.
    await sync_to_async(put_connection_back)()
    async with asyncio.timeout(TIME_LIMIT):
        return await call(stripe_client())
