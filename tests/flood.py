"""`python -m tests.flood 160 250000 20`: tells all open shop pages 160 times of one thing, 250 kB each.

Its versions start after 20. As another web process would: through the channel layer.
"""

import asyncio
import sys
import time

import django


async def flood(times: int, size: int, after: int) -> None:
    from channels.layers import get_channel_layer

    from realtime.fragments import Fragment
    from realtime.topics import CATALOG, group_of

    layer = get_channel_layer()
    for version in range(after + 1, after + times + 1):
        html = f'<i id="flood" data-version="{version}">{"x" * size}</i>'
        fragment = Fragment(CATALOG, "flood", version, time.time(), html)
        await layer.group_send(group_of(CATALOG), fragment.message)
        await asyncio.sleep(0.02)  # all at once, a page would be sent the last of them only


if __name__ == "__main__":
    django.setup()
    asyncio.run(flood(*map(int, sys.argv[1:])))
