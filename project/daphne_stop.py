"""Daphne ends what it has begun before it stops (docs/adr/0015).

As it comes, SIGTERM cancels every request: the caller hears nothing, though the view may well do what it was
asked. So a restart would fail somebody's checkout.
"""

import asyncio
import logging
import time
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.defer import Deferred
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from realtime.codes import SERVICE_RESTART

log = logging.getLogger(__name__)

PATIENCE = 15.0
"""Seconds for all that is under way. The slowest page waits 12 for Stripe."""
ON_ITS_WAY = 0.3
"""Seconds after which a connection that was taken has become a request, and an answer has gone out."""

QUEUE = 4096
"""Connections that may wait to be taken: no kernel's default is larger."""

_ports: list[Any] = []
"""Of Twisted, to which Daphne listens; it keeps only their numbers."""
_listen_success = Server.listen_success
_cancel_all = Server.kill_all_applications


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
    for port in _ports:
        _close(port)
    for protocol in list(server.connections):
        if isinstance(protocol, WebSocketProtocol):
            await _send_away(server, protocol)
    deadline = time.monotonic() + PATIENCE
    await asyncio.sleep(ON_ITS_WAY)
    while (under_way := _requests(server)) and time.monotonic() < deadline:
        await asyncio.wait(under_way, timeout=deadline - time.monotonic())
    await asyncio.sleep(ON_ITS_WAY)


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


def _requests(server: Server) -> list[asyncio.Future[None]]:
    return [
        details["application_instance"]
        for protocol, details in server.connections.items()
        if isinstance(protocol, WebRequest)
        and "application_instance" in details
        and not details["application_instance"].done()
    ]
