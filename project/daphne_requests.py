"""What Daphne takes from a client before the application is asked: little, well-formed, and in time.

Twisted reads a whole request, however large, before Daphne hears of it, and gives a client another minute
with each byte (docs/adr/0016).
"""

from typing import Any

from daphne import http_protocol

from project.intake import MOST

LINGERING = 5
"""Seconds in which a client that is still sending may read why it is refused, before the line is cut."""
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Request(http_protocol.WebRequest):  # type: ignore[misc]  # Daphne has no types
    def __init__(self, channel: "Channel", *queued: Any) -> None:
        # Twisted would parse forms as well, in the event loop and without Django's limits.
        super().__init__(channel, *queued, parsePOSTFormSubmission=False)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  Twisted's names
        if self.content.tell() + len(data) > MOST:
            self.channel.refuse()
        else:
            super().handleContentChunk(data)

    def process(self) -> Any:
        # Daphne believes the one and fails on the other if it is not ASCII. We live at the root, and our
        # sockets speak no subprotocol.
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")
        self.requestHeaders.removeHeader(b"Sec-WebSocket-Protocol")
        return super().process()


class Channel(http_protocol.http.HTTPChannel):  # type: ignore[misc]
    """A connection, with `timeOut` (60) seconds for each request from its first byte to its last."""

    _underway = False
    _refused = False

    def resetTimeout(self) -> None:  # noqa: N802
        if not self._underway:
            self._underway = True
            super().resetTimeout()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        super().dataReceived(data)
        if self.line_mode and not self._busyReceiving and b"\n" in self._buffer:
            # A line that does not end as lines do: it would wait for its end until the time is over.
            self._respondToBadRequestAndDisconnect()

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        if not self._refused:
            super().rawDataReceived(data)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        if line.startswith((b" ", b"\t")):  # a folded header: proxies differ about what it says
            self._respondToBadRequestAndDisconnect()
        else:
            super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802
        name, _, value = line.partition(b":")
        if name.lower() == b"transfer-encoding" and value.strip(b" \t").lower() != b"chunked":
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def allHeadersReceived(self) -> None:  # noqa: N802
        hosts = self.requests[-1].requestHeaders.getRawHeaders(b"Host", [])
        if len(hosts) > 1 or (self._version == b"HTTP/1.1" and not hosts):
            self._respondToBadRequestAndDisconnect()
        elif self.length is not None and self.length > MOST:
            self.refuse()
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:  # noqa: N802
        self._underway = False
        if not self._refused:
            super().allContentReceived()

    def refuse(self) -> None:
        """Answer 413, and read no more of it than it takes to be heard."""
        if not self._refused:
            self._refused = True
            self.transport.write(TOO_LARGE)
            self.transport.loseWriteConnection()
            self._abortingCall = self.callLater(LINGERING, self.forceAbortClient)

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        if not self._refused:
            self._refused = True
            super()._respondToBadRequestAndDisconnect()


def install() -> None:
    http_protocol.WebRequest = Request
    http_protocol.HTTPFactory.protocol = Channel
