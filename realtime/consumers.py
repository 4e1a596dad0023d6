"""One open page's socket: admit, join, and let the hub do the rest. Nothing that a client says is heard."""

from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer

from realtime import gauges
from realtime.hub import hub
from realtime.pages import Page
from realtime.tickets import NotAdmitted, Ticket
from shop import security, tracing

POLICY_VIOLATION = 1008
SESSION_OVER = 4401
TOO_MANY = 4429
WHY: dict[object, str] = {
    POLICY_VIOLATION: "the client sent something",
    SESSION_OVER: "no good ticket or session, or no longer",
    4403: "a right was taken away",
    4408: "it does not read",
    TOO_MANY: "too many open pages",
}


class PageConsumer(AsyncWebsocketConsumer):
    """Close codes: 1008 for a frame from the client, 4401 for a ticket or session that is not, or no longer,
    good, 4403 for a right that was taken away, 4408 for a page that does not read what it is sent, 4429 for
    more open pages than one shopper needs.
    """

    # The hub has one subscription for all pages: a channel each would cost a task and a queue each.
    channel_layer_alias = "the hub's, not ours"
    page: Page | None = None
    _counted = False
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
        if not hub().join(page):
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
        self._count(code)

    async def leave(self, code: int) -> None:
        """Send nothing more, and close."""
        self._part()
        await self.close(code)

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        with tracing.afresh(**(self.known or tracing.facts())):
            security.refuse("Socket closed", code=code, why=WHY.get(code, ""))
        self._count(code)
        await super().close(code, reason)

    def _count(self, code: int | bool | None) -> None:
        if not self._counted:  # what we close, the client closes, too
            self._counted = True
            gauges.closed(code)

    def _part(self) -> None:
        if self.page:
            self.page.shut()
            hub().leave(self.page)
            self.page = None


class Nobody(AsyncWebsocketConsumer):
    """Answers at unknown addresses: refuses the handshake."""

    channel_layer_alias = PageConsumer.channel_layer_alias

    async def connect(self) -> None:
        await self.close()


def _ticket_in(scope: dict[str, Any]) -> str:
    query_string: bytes = scope["query_string"]
    return parse_qs(query_string.decode("latin-1")).get("ticket", [""])[0]
