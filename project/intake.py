"""What Django is not asked to take, whatever server we run under: large bodies, NUL in a query, TRACE, and
calls of the API that everybody on the way could read.

Django's own pages hand a query on to PostgreSQL, which refuses NUL; our forms refuse it themselves. A browser
is led to https by a redirect; a program would follow it, too, and send its token unprotected for ever.
"""

from django.conf import settings

from project.asgi_types import Application, Message, Receive, Scope, Send

MOST = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
"""Bytes of a body. Under Daphne they are counted before it takes them (project/daphne_requests.py)."""

API = "/api/v1/"
PLAIN = b"Call this by https. A token that was sent like this is no secret any more: revoke it.\n"


class TooMuch(Exception):
    """More than `MOST`."""


def limited(application: Application) -> Application:
    """The same application, in front of which 400, 403, 405 and 413 are answered."""

    async def within_limits(scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST:
                raise TooMuch
            return message

        if scope["method"] == "TRACE":  # Django's admin would take it for GET
            await _refuse(send, 405)
            return
        if b"%00" in scope["query_string"]:
            await _refuse(send, 400)
            return
        if settings.SECURE_SSL_REDIRECT and scope["scheme"] == "http" and scope["path"].startswith(API):
            await _refuse(send, 403, PLAIN)
            return
        try:
            await application(scope, counted, send)
        except TooMuch:
            await _refuse(send, 413)

    return within_limits


async def _refuse(send: Send, status: int, words: bytes = b"") -> None:
    headers = [(b"connection", b"close"), (b"content-length", b"%d" % len(words))]
    headers += [(b"content-type", b"text/plain; charset=utf-8")] if words else []
    headers += [(b"allow", b"GET, HEAD, POST")] if status == 405 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words})
