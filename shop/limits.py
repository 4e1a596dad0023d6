"""How often one visitor may ask for what troubles others: counted as the API's callers are."""

from math import ceil

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.views import APIView

from shop.api.throttling import Counted


class PerVisitor(Counted):
    """By network address, rate `links`. Who is told to wait can throw cookies away."""

    scope = "links"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def wait_of(request: HttpRequest) -> int:
    """Seconds until the visitor may ask again; 0 if this time is all right, which then counts."""
    limit = PerVisitor()
    if limit.allow_request(Request(request), APIView()):
        return 0
    return ceil(limit.wait() or 1)  # None: somebody has lowered the rate meanwhile
