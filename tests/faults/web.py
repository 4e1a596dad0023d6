"""What a browser asks for, and what it is answered."""

from dataclasses import dataclass

import httpx


class Unreachable(Exception):
    """No answer: refused, cut off, or not in time. The text says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`location` as it was sent, empty if it was not; `path` is what was asked for in the end."""

    path: str
    status: int
    headers: httpx.Headers
    text: str

    @property
    def location(self) -> str:
        return str(self.headers.get("Location", ""))


def network() -> httpx.AsyncHTTPTransport:
    """What browsers share: connections that are kept open. It keeps no cookies and follows no redirects."""
    # Browsers ask again if a connection was closed in the moment in which they used it, and the local Stripe
    # closes one after 5 s of silence.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=3)
    return httpx.AsyncHTTPTransport(limits=limits)
