"""A name for each request, in every line that the log has of it and in the answer.

From a proxy of ours it is the one that its own log has: project/proxies.py lets nobody else's word through.
"""

import re
import secrets

from project import logs
from project.asgi_types import Application, Message, Receive, Scope, Send
from project.proxies import REQUEST_ID
from shop import tracing

SOUND = re.compile(rb"[A-Za-z0-9-]{8,64}")


def with_request_id(application: Application) -> Application:
    """The same ASGI application. Sockets have an id as well, but nobody is told."""

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _given(scope) or secrets.token_hex(8)
        logs.note_client(scope)
        answer = _telling(send, request_id) if scope["type"] == "http" else send
        with tracing.afresh(request=request_id):
            await application(scope, receive, answer)

    return named


def _given(scope: Scope) -> str:
    given = [value for name, value in scope.get("headers", ()) if name == REQUEST_ID]
    return given[0].decode() if len(given) == 1 and SOUND.fullmatch(given[0]) else ""


def _telling(send: Send, request_id: str) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (REQUEST_ID, request_id.encode())]
            message = {**message, "headers": headers}
        await send(message)

    return tell
