"""Lets Daphne close a socket with the codes that the protocol has for it (docs/adr/0005).

Autobahn's `sendClose`, which Daphne calls, knows 1000 and private codes only; told 1008 it raises, the
client sees 1011 and the log a traceback.
"""

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol


class ClosingProtocol(WebSocketProtocol):  # type: ignore[misc]  # Daphne has no types
    def serverClose(self, code: int | None = None) -> None:  # noqa: N802  Daphne's name
        self.sendCloseFrame(code=1000 if code is None else code)


def install() -> None:
    WebSocketFactory.protocol = ClosingProtocol
