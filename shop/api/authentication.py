"""Who calls: a user by token or session, or a guest by her cookie."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.models import User
from django.middleware.csrf import get_token
from django.utils.crypto import constant_time_compare, salted_hmac
from rest_framework import authentication, exceptions, permissions
from rest_framework.authtoken.models import Token
from rest_framework.request import Request

from shop.shoppers import Shopper, ShopRequest, guest_id_in, shopper_of

if TYPE_CHECKING:
    from rest_framework.views import APIView


def token_for(row: Token) -> str:
    """What a caller shows as `Authorization: Token …`: the row's key, signed.

    Whoever reads the table alone cannot call anything with it, and a new password ends it as it ends the
    sessions.
    """
    seen = f"{row.key}{row.user.get_session_auth_hash()}"
    signature = salted_hmac("shop.api.token", seen, algorithm="sha256").hexdigest()
    return f"{row.key}.{signature}"


class TokenAuthentication(authentication.TokenAuthentication):
    def authenticate_credentials(self, key: str) -> tuple[User, Token]:
        row_key = key.partition(".")[0]
        if not row_key.isalnum():  # NUL, for example, is nothing to ask PostgreSQL about
            raise exceptions.AuthenticationFailed("Invalid token.")
        user, row = super().authenticate_credentials(row_key)
        if not constant_time_compare(key, token_for(row)):
            raise exceptions.AuthenticationFailed("Invalid token.")
        return user, row


class SessionAuthentication(authentication.SessionAuthentication):
    """The cookies of the shop's pages. A browser sends them by itself, so a POST takes the CSRF token, too.

    REST framework asks that of users; a guest's cookie buys and shows orders just as well.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        user = super().authenticate(request)
        if user is None and guest_id_in(request.COOKIES):
            self.enforce_csrf(request)
        return user


class IsShopper(permissions.BasePermission):
    """A user, or a guest who has been here before."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return request.user.is_authenticated or guest_id_in(request.COOKIES) is not None


def caller(request: Request) -> Shopper:
    """The shopper who calls; a newcomer becomes a guest, whose cookies go out with the answer."""
    # As the middleware knows it; REST framework has put a token's user into it, too.
    inner = cast("ShopRequest", request._request)
    shopper = shopper_of(inner)
    if inner.new_guest_id:
        get_token(inner)  # her next POST brings the guest's cookie, so it needs this one as well
    return shopper
