"""What Django is not asked to take, whatever server we run under: large bodies, and NUL in a query.

Django's own pages hand a query on to PostgreSQL, which refuses NUL; our forms refuse it themselves.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

MOST = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
"""Bytes of a body. Under Daphne they are counted before it takes them (project/daphne_requests.py)."""

Scope = dict[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class TooMuch(Exception):
    """More than `MOST`."""


def limited(application: Application) -> Application:
    """The same application, in front of which 413 and 400 are answered."""

    async def within_limits(scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def counted() -> Mapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST:
                raise TooMuch
            return message

        if b"%00" in scope["query_string"]:
            await _refuse(send, 400)
            return
        try:
            await application(scope, counted, send)
        except TooMuch:
            await _refuse(send, 413)

    return within_limits


async def _refuse(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b""})
