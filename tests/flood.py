"""`python -m tests.flood 250000`: for each line of its input tells all open shop pages of one thing, 250 kB.

Its versions start at 1. As another web process would: through the channel layer.
"""

import asyncio
import sys
import time

import django


async def flood(size: int) -> None:
    from channels.layers import get_channel_layer

    from realtime.fragments import Fragment
    from realtime.topics import CATALOG, group_of

    layer = get_channel_layer()
    for version, _ in enumerate(sys.stdin, start=1):
        html = f'<i id="flood" data-version="{version}">{"x" * size}</i>'
        fragment = Fragment(CATALOG, "flood", version, time.time(), html)
        await layer.group_send(group_of(CATALOG), fragment.message)


if __name__ == "__main__":
    django.setup()
    asyncio.run(flood(*map(int, sys.argv[1:])))
