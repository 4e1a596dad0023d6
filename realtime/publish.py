"""Hurry fragments to every process. A hint and no more: whatever is lost here, the sweep brings."""

import asyncio
import logging
import time
from collections.abc import Iterable
from contextvars import Context

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from realtime import gauges
from realtime.fragments import Fragment
from realtime.hub import PATIENCE, Hub, running_hub

log = logging.getLogger(__name__)

HEAD_START = 0.001
"""Seconds."""

_outbox: dict[tuple[str, str], Fragment] = {}
"""What is still to go to Redis, the newest of each key."""
_postman: asyncio.Task[None] | None = None


def publish(fragments: Iterable[Fragment]) -> None:
    """From sync code, after the commit. Never raises.

    Where pages are open, the process's own hub has them first and nobody waits for Redis; elsewhere
    (a command, a process that nobody looks at) they go out at once.
    """
    if hub := running_hub():
        for fragment in fragments:
            hub.loop.call_soon_threadsafe(post, hub, fragment)
            # The loop sends this one while we wait with the next: Python runs one thread at a time, and
            # otherwise our rendering would keep it from doing so.
            if fragment.html:
                time.sleep(HEAD_START)
    else:
        async_to_sync(_send_all)(list(fragments))


def post(hub: Hub, fragment: Fragment) -> None:
    """From the hub's own loop: to its pages at once, and to Redis when that can take it."""
    global _postman
    hub.relay(fragment)
    address = fragment.topic, fragment.key
    if address not in _outbox or _outbox[address].version < fragment.version:
        _outbox[address] = fragment
    if _postman is None or _postman.done() or _postman.get_loop() is not hub.loop:
        _postman = hub.loop.create_task(_empty_outbox(), context=Context())


async def _empty_outbox() -> None:
    while _outbox:
        if not await _send(_outbox.pop(next(iter(_outbox)))):
            _outbox.clear()  # all that is in it would be late: the sweep is faster


async def _send_all(fragments: list[Fragment]) -> None:
    for fragment in fragments:
        if not await _send(fragment):
            return


async def _send(fragment: Fragment) -> bool:
    """Give it to the channel layer; False if that did not take it in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            await get_channel_layer().group_send(fragment.topic, fragment.message)
    except Exception as error:  # noqa: BLE001  Redis and its client fail in many ways, and all mean the same
        gauges.publishes.labels("late" if isinstance(error, TimeoutError) else "failed").inc()
        log.warning("Not hurried, the sweep will bring it: %s (%s)", fragment.key, type(error).__name__)
        return False
    gauges.publishes.labels("taken").inc()
    return True
