"""A bad line between the shop and the API, at the rates of chaos.py."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.stripe.api.dispatch import failure, respond
from sandbox.stripe.api.errors import StripeError
from sandbox.stripe.chaos import CALLS, Chaos
from sandbox.stripe.ids import new_id

BUSY = StripeError(
    429,
    "invalid_request_error",
    "Request rate limit exceeded. Learn more about rate limits: https://docs.stripe.com/rate-limits",
    "rate_limit",
)
BROKEN = StripeError(500, "api_error", "An error occurred on our side. Please try again. (This is chaos.)")
# https://docs.stripe.com/rate-limits
SLOW_DOWN = {"Retry-After": "1", "Stripe-Rate-Limited-Reason": "global-rate"}

logger = logging.getLogger(__name__)


class BadLine:
    """ASGI middleware. Before the API, so that no idempotency key is used up by what it refuses."""

    def __init__(self, app: ASGIApp, chaos: Chaos) -> None:
        self._app = app
        self._chaos = chaos

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            return await self._app(scope, receive, send)
        fate, _ = self._chaos.fate("the API", CALLS)
        if fate:
            logger.info("chaos: %s for %s %s", " ".join(sorted(fate)), scope["method"], scope["path"])
        if "api_slow" in fate:
            await self._chaos.pause(self._chaos.rates.api_slow_seconds)
        if "api_429" in fate:
            return await _refuse(BUSY, SLOW_DOWN)(scope, receive, send)
        if "api_500" in fate:
            return await _refuse(BROKEN, {})(scope, receive, send)
        if "api_cut" in fate:
            return await self._cut(scope, receive, send)
        return await self._app(scope, receive, send)

    async def _cut(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, _nowhere)
        # ASGI knows no hanging up: a server does so when an answer ends before it is complete.
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


def _refuse(error: StripeError, headers: dict[str, str]) -> ASGIApp:
    request_id = new_id("req", 14)
    response = respond(failure(error, request_id), request_id)
    response.headers.update(headers)
    return response


async def _nowhere(_message: Message) -> None:
    pass
