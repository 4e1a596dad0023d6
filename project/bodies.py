"""How much of a request's body is taken, whatever server we run under: bodies are counted as they come."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

MOST = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
"""Bytes. Daphne is stopped at the same number before it has read them (project/daphne_requests.py)."""

Scope = dict[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class TooMuch(Exception):
    """More than `MOST`."""


def limited(application: Application) -> Application:
    """The same application, in front of which 413 is answered to what is too large."""

    async def within_limits(scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def counted() -> Mapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST:
                raise TooMuch
            return message

        try:
            await application(scope, counted, send)
        except TooMuch:
            await send({"type": "http.response.start", "status": 413, "headers": [(b"connection", b"close")]})
            await send({"type": "http.response.body", "body": b""})

    return within_limits
