"""Stripe's official client, set up as we use it."""

import asyncio
from weakref import WeakKeyDictionary

import stripe
from django.conf import settings

TIME_LIMIT = 10
"""Seconds that one request to Stripe may take; the SDK's own limit is 80."""

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
