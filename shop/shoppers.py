"""Who is shopping: a logged-in user, or a guest known by a long random id in a signed cookie."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.signing import BadSignature, TimestampSigner, get_cookie_signer
from django.http import HttpRequest, HttpResponse

from shop import tracing

GUEST_COOKIE: str = settings.GUEST_COOKIE_NAME
GUEST_COOKIE_AGE = 365 * 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class Shopper:
    """Exactly one of the two is set."""

    user_id: int | None = None
    guest_id: UUID | None = None

    @property
    def key(self) -> str:
        """ "u12" or "g" and 32 hex digits: names the shopper among all others."""
        return (
            f"u{self.user_id}"
            if self.user_id is not None
            else f"g{self.guest_id.hex if self.guest_id else ''}"
        )


def guest_id_in(cookies: Mapping[str, str]) -> UUID | None:
    """The guest id that a browser shows, if it is one that we signed."""
    try:
        return UUID(_signer().unsign(cookies.get(GUEST_COOKIE, ""), max_age=GUEST_COOKIE_AGE))
    except (BadSignature, ValueError):
        return None


class ShopRequest(HttpRequest):
    """A request as it arrives in our views."""

    user: User | AnonymousUser
    new_guest_id: UUID | None
    leaves_guest: bool


def shopper_of(request: ShopRequest) -> Shopper:
    """The shopper behind a request; a newcomer becomes a guest. Reads the session: sync code only."""
    if request.user.is_authenticated:
        tracing.bind(user=request.user.pk)
        return Shopper(user_id=request.user.pk)
    guest_id = guest_id_in(request.COOKIES) or request.new_guest_id
    if guest_id is None:
        guest_id = request.new_guest_id = uuid.uuid4()
    return Shopper(guest_id=guest_id)


class ShopperMiddleware:
    """Gives a new guest her cookie, and takes it away when her orders have moved to an account."""

    async_capable = sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: ShopRequest) -> Any:
        request.new_guest_id, request.leaves_guest = None, False
        if iscoroutinefunction(self):
            return self._later(request)
        return self._with_cookie(request, self.get_response(request))

    async def _later(self, request: ShopRequest) -> HttpResponse:
        return self._with_cookie(request, await self.get_response(request))

    def _with_cookie(self, request: ShopRequest, response: HttpResponse) -> HttpResponse:
        if request.leaves_guest:
            response.delete_cookie(GUEST_COOKIE, samesite="Lax")
        elif request.new_guest_id:
            response.set_cookie(
                GUEST_COOKIE,
                _signer().sign(request.new_guest_id.hex),
                max_age=GUEST_COOKIE_AGE,
                httponly=True,
                secure=settings.SESSION_COOKIE_SECURE,
                samesite="Lax",
            )
        return response


def _signer() -> TimestampSigner:
    return get_cookie_signer(salt="shop.guest")
