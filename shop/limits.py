"""How often one visitor may ask for what troubles others: counted as the API's callers are."""

from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.views import APIView

from shop.api.throttling import Counted


class PerVisitor(Counted):
    """By network address, rate `links`. Who is told to wait can throw cookies away."""

    scope = "links"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": _network(self.get_ident(request))}


def wait_of(request: HttpRequest) -> int:
    """Seconds until the visitor may ask again; 0 if this time is all right, which then counts."""
    limit = PerVisitor()
    if limit.allow_request(Request(request), APIView()):
        return 0
    return ceil(limit.wait() or 1)  # None: somebody has lowered the rate meanwhile


def _network(address: str) -> str:
    """Of IPv6 the whole /64: whoever has one address there has them all."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv6Address) and not ip.ipv4_mapped:
        return str(ip_network((ip.packed, 64), strict=False))
    return address
