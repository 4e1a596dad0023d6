"""Static files, served before Django so that they cost none of its middleware (docs/adr/0004).

WhiteNoise finds the files and knows what to answer; only its WSGI and its middleware stay unused. The
middleware is sync: inside Django it would put every request, a shopper waiting for Stripe included, onto a
thread. asgiref's `WsgiToAsgi` around it failed one page load in fifteen on a kept-open connection.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from whitenoise import WhiteNoise

from project.asgi_types import Receive, Scope, Send


class StaticFiles:
    """An ASGI application with every file that `collectstatic` would collect, from where its app keeps it."""

    def __init__(self) -> None:
        whitenoise = WhiteNoise(None, max_age=60, allow_all_origins=False)
        for finder in get_finders():
            for path, storage in finder.list([]):
                name = "/".join(filter(None, [getattr(storage, "prefix", ""), path]))
                whitenoise.add_file_to_dictionary(f"{settings.STATIC_URL}{name}", storage.path(path))
        self._files = whitenoise.files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._files.get(scope["path"])
        if found is None:
            plain = [("Content-Type", "text/plain; charset=utf-8")]
            await _respond(send, HTTPStatus.NOT_FOUND, plain, b"No such file.\n")
            return
        answer = found.get_response(scope["method"], _as_in_wsgi(scope["headers"]))
        body = await asyncio.to_thread(_read, answer.file) if answer.file else b""
        await _respond(send, answer.status, answer.headers, body)


def _as_in_wsgi(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in headers
    }


def _read(file: Any) -> bytes:
    with file:
        content: bytes = file.read()
    return content


async def _respond(send: Send, status: HTTPStatus, headers: list[tuple[str, str]], body: bytes) -> None:
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": int(status), "headers": encoded})
    await send({"type": "http.response.body", "body": body})
