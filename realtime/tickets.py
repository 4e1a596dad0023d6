"""A ticket: what a rendered page may be shown, signed, so that its socket costs no log-in.

The view that renders the page has authorised it; the socket proves that it comes from the same browser
by the cookie that came along. Whether it all still stands is for the sweep, before anything is sent.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from shop.shoppers import Shopper, ShopRequest, guest_id_in, shopper_of
from shop.visits import Visit

MAX_AGE = 24 * 3600
"""Seconds after which a page has to be loaded anew to be live again."""


class NotAdmitted(Exception):
    """Forged, altered, for another address, too old, or shown by another browser."""


@dataclass(frozen=True, slots=True)
class Ticket:
    visit: Visit
    topics: frozenset[str]
    rendered_at: float
    """By the database's clock, in seconds since 1970; 0 if unreadable: then everything is news."""

    @staticmethod
    def issue(
        request: ShopRequest, path: str, topics: Collection[str], as_of: datetime, right: str = ""
    ) -> str:
        """A ticket for the socket at `path`, for who makes this request; good while she has the right."""
        shopper = shopper_of(request)
        return signing.dumps(
            {
                "user": shopper.user_id,
                "guest": shopper.guest_id.hex if shopper.guest_id else None,
                "session": _digest(request.session.session_key or "") if shopper.user_id else None,
                "right": right,
                "topics": sorted(topics),
                "as_of": as_of.timestamp(),
            },
            salt=_salt(path),
        )

    @classmethod
    def read(cls, text: str, path: str, cookies: Mapping[str, str]) -> Self:
        """Raises NotAdmitted."""
        try:
            content = signing.loads(text, salt=_salt(path), max_age=MAX_AGE)
        except signing.BadSignature as error:
            raise NotAdmitted from error
        shopper = Shopper(content["user"], UUID(content["guest"]) if content["guest"] else None)
        session_key = ""
        if content["user"] is not None:
            session_key = cookies.get(settings.SESSION_COOKIE_NAME, "")
            if not constant_time_compare(_digest(session_key), content["session"]):
                raise NotAdmitted
        elif guest_id_in(cookies) != shopper.guest_id:
            raise NotAdmitted
        visit = Visit(shopper, session_key, content.get("right", ""))
        return cls(visit, frozenset(content["topics"]), _seconds(content.get("as_of")))


def _salt(path: str) -> str:
    return f"realtime.ticket {path}"


def _digest(session_key: str) -> str:
    # The page's scripts can read a ticket, and must not learn the session's key from it.
    return salted_hmac("realtime.ticket.session", session_key, algorithm="sha256").hexdigest()


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
