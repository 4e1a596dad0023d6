"""Daphne ends what it has begun before it stops (docs/adr/0015).

As it comes, SIGTERM cancels every request: the caller hears nothing, though the view may well do what it was
asked. So a restart would fail somebody's checkout.
"""

import asyncio
import logging
import time
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.server import Server, reactor
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.defer import Deferred
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from realtime.codes import SERVICE_RESTART

log = logging.getLogger(__name__)

PATIENCE = 15.0
"""Seconds for all that is under way. The slowest page waits 12 for Stripe."""
FIRST_WORDS = 2.0
"""Seconds in which somebody who was let in says what for. nginx does so at once, a browser may never."""
ON_ITS_WAY = 0.3
"""Seconds after which an answer has gone out."""

QUEUE = 4096
"""Connections that may wait to be taken: no kernel's default is larger."""

_ports: list[Any] = []
"""Of Twisted, to which Daphne listens; it keeps only their numbers."""
_listen_success = Server.listen_success


def install() -> None:
    Server.listen_success = _listens
    Server.kill_all_applications = _finish_and_stop


def _listens(server: Server, port: Any) -> None:
    _ports.append(port)
    _listen_success(server, port)


def _finish_and_stop(server: Server) -> Deferred[Any]:
    """What Twisted waits for after SIGTERM, once."""
    return Deferred.fromFuture(asyncio.ensure_future(_finish(server))).addBoth(lambda _: _cancel_all(server))


async def _finish(server: Server) -> None:
    began = time.monotonic()
    for port in _ports:
        _close(port)
    for protocol in list(server.connections):
        if isinstance(protocol, WebSocketProtocol):
            await _send_away(server, protocol)
    _hang_up_after_each_answer(server)
    while (left := began + PATIENCE - time.monotonic()) > 0:
        if under_way := _under_way(server):
            await asyncio.wait(under_way, timeout=left)
        await asyncio.sleep(ON_ITS_WAY)
        newcomers = time.monotonic() < began + FIRST_WORDS and _has_newcomers()
        if not (newcomers or _arriving(server) or _under_way(server)):
            break


async def _send_away(server: Server, protocol: WebSocketProtocol) -> None:
    """The page finds another process. One whose handshake is still to be answered is refused."""
    try:
        await server.handle_reply(protocol, {"type": "websocket.close", "code": SERVICE_RESTART})
    except Exception:
        log.exception("A socket was not told to come again")


def _close(port: Any) -> None:
    """To newcomers, who are refused then and ask elsewhere. Who is in the kernel's queue would be cut off
    instead, so it is emptied at the last moment: Twisted itself closes some turns of the loop later.
    """
    port.numberAccepts = QUEUE  # it takes as many at a time as came together lately, one perhaps
    port.doRead()
    port.stopReading()
    port.connectionLost(Failure(CONNECTION_DONE))  # type: ignore[no-untyped-call]


def _hang_up_after_each_answer(server: Server) -> None:
    """Or whoever asks on and on would be cut off in the middle of something in the end."""
    HTTPChannel.checkPersistence = _is_last  # type: ignore[method-assign]
    for request in _open_requests(server):
        request.channel.persistent = _is_last(request.channel, request, b"")


def _is_last(_channel: HTTPChannel, request: WebRequest, _version: bytes) -> bool:
    request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
    return False


def _has_newcomers() -> bool:
    """Who have been let in and have asked nothing yet. Daphne hears of a request, not of a connection."""
    channels = [getattr(reader, "protocol", None) for reader in reactor.getReaders()]
    return any(
        isinstance(channel, HTTPChannel)
        and not channel.requests
        and channel._savedTimeOut is None  # Twisted's note of the first request; a kept line has it
        for channel in channels
    )


def _open_requests(server: Server) -> list[WebRequest]:
    """From the end of their first line to the end of the answer. A handshake leaves a socket in its place."""
    return [
        protocol
        for protocol, details in server.connections.items()
        if isinstance(protocol, WebRequest) and "disconnected" not in details
    ]


def _arriving(server: Server) -> list[WebRequest]:
    """Of which a part has come, so that the application knows nothing of them yet."""
    return [request for request in _open_requests(server) if request.application_queue is None]


def _under_way(server: Server) -> list[asyncio.Future[None]]:
    return [
        application
        for protocol, application in _applications(server)
        if isinstance(protocol, WebRequest) and not application.done()
    ]


def _applications(server: Server) -> list[tuple[Any, asyncio.Future[None]]]:
    """With their protocols. One that arrives has none, nor has one that has become a socket."""
    return [
        (protocol, details["application_instance"])
        for protocol, details in server.connections.items()
        if "application_instance" in details
    ]


def _cancel_all(server: Server) -> Deferred[Any]:
    """As Daphne does, which would fail here if only one protocol had no application."""
    applications = [application for _, application in _applications(server) if not application.done()]
    for application in applications:
        application.cancel()
    return Deferred.fromFuture(asyncio.gather(*applications, return_exceptions=True))
