"""How often one caller may ask, counted in Redis for all processes together.

Without Redis each process counts for itself: the limits are looser then, and the shop goes on selling. What
must hold even then is counted in PostgreSQL: checkouts (shop/limits.py) and wrong passwords (shop/logins.py).
"""

import logging
from time import monotonic
from typing import TYPE_CHECKING

from django.core.cache import caches
from redis.exceptions import RedisError
from rest_framework import throttling
from rest_framework.request import Request

from shop.limits import network_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

log = logging.getLogger(__name__)

TRY_AGAIN = 5
"""Seconds after which a Redis that was away is asked again: each time may cost a caller some waiting."""


class Counted(throttling.SimpleRateThrottle):
    # One for the whole process. `caches[…]` makes a new one, with connections of its own, for each request
    # that comes by ASGI.
    cache = caches["throttles"]
    away_until = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if monotonic() >= Counted.away_until:
            try:
                return super().allow_request(request, view)
            except RedisError as error:
                log.warning("Requests are counted by each process for itself: %s", type(error).__name__)
                Counted.away_until = monotonic() + TRY_AGAIN
        self.cache = caches["default"]
        return super().allow_request(request, view)

    def get_ident(self, request: Request) -> str:
        return network_of(request._request)


class PerAddress(Counted, throttling.AnonRateThrottle):
    """Who is not logged in, guests included, by network: rate `anon`."""


class PerUser(Counted, throttling.UserRateThrottle):
    """Who is logged in: rate `user`."""

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        return super().get_cache_key(request, view) if request.user.is_authenticated else None


class PerPurpose(Counted, throttling.ScopedRateThrottle):
    """What costs more than reading, by the view's `throttle_scope`: rate `token`."""

    def get_cache_key(self, request: Request, view: "APIView") -> str:
        # Always by network: an account of one's own is no licence to guess other people's passwords.
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}
