"""A door of its own for Stripe's webhook: the same answer as the view's, by a shorter way (docs/adr/0006).

Under ASGI each of Django's middlewares costs a webhook a thread hop or two, and none of them does anything
for it. Here one hop leads to the transaction and back.
"""

import logging
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from channels.db import database_sync_to_async
from django.conf import settings

from project.asgi_types import Receive, Scope, Send
from realtime.gauges import webhook_answers
from shop.webhooks import MAX_BODY, answer

log = logging.getLogger(__name__)


# Threads of its own, so that a transaction that waits for a lock keeps nobody else's waiting; fewer than
# there are connections, so that a flood of webhooks leaves some to the shoppers.
_threads = ThreadPoolExecutor(max(settings.DATABASE_POOL_SIZE // 2, 1), thread_name_prefix="webhook")
_answer = database_sync_to_async(answer, thread_sensitive=False, executor=_threads)


async def stripe_webhook(scope: Scope, receive: Receive, send: Send) -> None:
    """The webhook as an ASGI application, for POST only."""
    received = time.perf_counter()
    body = await _body(receive)
    if body is None:
        return
    signature = dict(scope["headers"]).get(b"stripe-signature", b"").decode("latin-1")
    try:
        status, text = await _answer(body, signature, received)
    except Exception as error:  # noqa: BLE001  Stripe comes back with it
        # Where, but not what: PostgreSQL's messages quote rows, and rows hold people's addresses.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("A webhook could not be recorded: %s\n%s", type(error).__name__, where)
        status, text = 500, "Not recorded.\n"
    webhook_answers.labels(status).observe(time.perf_counter() - received)
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def _body(receive: Receive) -> bytes | None:
    """What was sent, cut off behind what is too much; None if the sender left before the end."""
    body, more = bytearray(), True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)
