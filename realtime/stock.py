"""Stock in a rush of orders: read and rendered once for all that changed it meanwhile."""

import asyncio
import logging
from collections.abc import Collection
from contextvars import Context

from channels.db import database_sync_to_async

from realtime.fragments import Fragment, stock_fragment
from realtime.hub import Hub, running_hub
from realtime.publish import post, publish
from shop.models import Product

log = logging.getLogger(__name__)

PAUSE = 0.05
"""Seconds between two looks at what changed. The first change of a rush does not wait."""

_changed: set[int] = set()
_reader: asyncio.Task[None] | None = None


def hurry_stock(product_ids: Collection[int]) -> None:
    """Bring price and stock of products to the pages that show them. From sync code, after the commit."""
    if hub := running_hub():
        hub.loop.call_soon_threadsafe(_gather, hub, product_ids)
    else:
        publish(_read(product_ids))


def _gather(hub: Hub, product_ids: Collection[int]) -> None:
    global _reader
    _changed.update(product_ids)
    if _reader is None or _reader.done() or _reader.get_loop() is not hub.loop:
        # Not in the context of the request that called, whose thread is gone when this runs on.
        _reader = hub.loop.create_task(_hurry(hub), context=Context())


async def _hurry(hub: Hub) -> None:
    while _changed:
        product_ids = list(_changed)
        _changed.clear()
        try:
            for fragment in await database_sync_to_async(_read)(product_ids):
                post(hub, fragment)
        except Exception as error:  # noqa: BLE001  whatever it is, the sweep brings what this has lost
            log.warning("Stock not hurried, the sweep will bring it: %r", error)
        await asyncio.sleep(PAUSE)


def _read(product_ids: Collection[int]) -> list[Fragment]:
    return [stock_fragment(product) for product in Product.objects.filter(pk__in=product_ids)]
