"""What Daphne's sockets lack: the right close codes, senders that wait, and no room for what nobody asked for
(docs/adr/0005, docs/adr/0014).
"""

import asyncio
from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from realtime.codes import NOT_FOUND

MOST = 64 * 1024
"""Bytes of one message from a client. A page of ours sends none at all."""

_handle_reply = Server.handle_reply


class Protocol(WebSocketProtocol):  # type: ignore[misc]  # Daphne has no types
    failByDrop = False  # noqa: N815  Autobahn's option: else it would close without a code
    _refusal: Any = None
    _heard = False
    full: asyncio.Future[None] | None = None
    """Done when the client has read what Twisted has buffered for it; None while there is room for more."""

    def onOpen(self) -> None:  # noqa: N802  Autobahn's names, and Twisted's below
        self.transport.unregisterProducer()  # the HTTP request that this was, which has nothing more to say
        self.transport.registerProducer(self, True)
        super().onOpen()

    def onMessageFrameBegin(self, length: int) -> None:  # noqa: N802
        super().onMessageFrameBegin(length)
        # Autobahn's own limits are for both directions, and what we send may be a long list.
        if self.message_data_total_length > MOST and not self.failedByMe:
            self._fail_connection(self.CLOSE_STATUS_CODE_MESSAGE_TOO_BIG, "too much")

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        # One is enough to be closed for. Thousands fit into what comes at once.
        if not self._heard and self.state == self.STATE_OPEN:
            self._heard = True
            super().onMessage(payload, isBinary)

    def onPing(self, payload: bytes) -> None:  # noqa: N802
        if self.full is None:  # who asks without reading the answers would have them all kept
            super().onPing(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        self.resumeProducing()
        super().onClose(wasClean, code, reason)

    def handle_reply(self, message: dict[str, Any]) -> None:
        self._refusal = message.get("code")
        super().handle_reply(message)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:  # noqa: N802, N803
        # Daphne has 403 for whatever the application refuses.
        if self._refusal == NOT_FOUND:
            reason, code = "Not Found", 404
        super().failHandshake(reason, code, responseHeaders)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:  # noqa: N802
        # Who is being closed hears no more. The application is told as soon as it is over.
        if self.state == self.STATE_OPEN:
            super().serverSend(content, binary)

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        # Autobahn's `sendClose` knows 1000 and private codes only; told 1008 it raises, the client sees
        # 1011 and the log a traceback.
        self.sendCloseFrame(code=1000 if code is None else code)

    def pauseProducing(self) -> None:  # noqa: N802
        """Twisted has 64 KB that the kernel does not take."""
        if self.full is None:
            self.full = asyncio.get_running_loop().create_future()

    def resumeProducing(self) -> None:  # noqa: N802
        """All of it has gone, or there is nobody left to take it."""
        full, self.full = self.full, None
        if full and not full.done():
            full.set_result(None)

    stopProducing = resumeProducing  # noqa: N815


async def _send(server: Server, protocol: Any, message: dict[str, Any]) -> None:
    """ASGI's `send`, which comes back when there is room for more."""
    await _handle_reply(server, protocol, message)
    if message["type"] == "websocket.send" and protocol.full:
        await protocol.full


def install() -> None:
    WebSocketFactory.protocol = Protocol
    Server.handle_reply = _send
