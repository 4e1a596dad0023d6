"""One open page's socket: admit, join, and let the hub do the rest. Nothing that a client says is heard."""

import logging
from typing import Any
from urllib.parse import parse_qs

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer

from realtime import gauges
from realtime.codes import NOT_FOUND, POLICY_VIOLATION, SESSION_OVER, TOO_MANY, WHY
from realtime.hub import hub
from realtime.pages import Page
from realtime.tickets import NotAdmitted, Ticket
from shop import security, tracing

access = logging.getLogger("access")


class _Consumer(AsyncWebsocketConsumer):
    # The hub has one subscription for all pages: a channel each would cost a task and a queue each.
    channel_layer_alias = "the hub's, not ours"

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As Channels has it, but without looking after the database's connections before each message: that
        is done in the thread in which sweeps wait for the database.
        """
        handler = getattr(self, get_handler_name(message), None)
        if not handler:
            raise ValueError(f"No handler for message type {message['type']}")
        await handler(message)


class PageConsumer(_Consumer):
    """Closes with what realtime/codes.py has."""

    page: Page | None = None
    _closed = False
    known: tracing.Facts | None = None
    """For the log: who closes it may be at work for another page."""

    async def connect(self) -> None:
        # Accepted first even if only to be closed: a browser learns no reason from a refused handshake.
        await self.accept()
        try:
            ticket = Ticket.read(_ticket_in(self.scope), self.scope["path"], self.scope["cookies"])
        except NotAdmitted:
            await self.close(SESSION_OVER)
            return
        page = Page(self.base_send, self.leave, ticket.visit, ticket.topics, ticket.rendered_at)
        if not await hub().admit(page):
            await self.close(TOO_MANY)
            return
        self.page = page
        if user := ticket.visit.shopper.user_id:
            tracing.bind(user=user)
        self.known = tracing.facts()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.leave(POLICY_VIOLATION)

    async def disconnect(self, code: int) -> None:
        self._part()
        client, *_ = self.scope.get("client") or [""]
        path = self.scope["path"]
        access.info("Socket disconnected %s", path, extra={"fields": {"client": str(client)}})
        if not self._closed:  # what we close, the client closes, too
            self._closed = True
            gauges.closed(code)

    async def leave(self, code: int) -> None:
        """Send nothing more, and close."""
        self._part()
        await self.close(code)

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        if self._closed:
            return
        self._closed = True
        with tracing.afresh(**(self.known or tracing.facts())):
            security.refuse("Socket closed", code=code, why=WHY.get(code, ""))
        gauges.closed(code)
        await super().close(code, reason)

    def _part(self) -> None:
        if self.page:
            self.page.shut()
            hub().leave(self.page)
            self.page = None


class Nobody(_Consumer):
    """Answers at unknown addresses: refuses the handshake."""

    async def connect(self) -> None:
        await self.close(NOT_FOUND)


def _ticket_in(scope: dict[str, Any]) -> str:
    query_string: bytes = scope["query_string"]
    return parse_qs(query_string.decode("latin-1")).get("ticket", [""])[0]
