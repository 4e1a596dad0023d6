"""How often one shopper, and one network, may do what costs others something: settings.LIMITS.

Counted in PostgreSQL (shop/models/limits.py), without which nothing is sold either: so there is one count for
all processes, and it is there whatever happens to Redis.
"""

from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from shop.models import Allowance
from shop.shoppers import Shopper

_PERIODS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class TooOften(Exception):
    """Nothing was counted, and nothing may be done for `wait` seconds."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too often: {wait} s to wait")
        self.wait = wait

    @property
    def minutes(self) -> int:
        return ceil(self.wait / 60)


def count_checkout(request: HttpRequest, shopper: Shopper) -> None:
    """One more way to a payment page, by a page or by the API. Raises TooOften.

    Whoever tries out stolen cards needs many; the cards themselves are Stripe's to count, on whose page they
    are typed. A guest may throw her cookie away, so her network counts, too.
    """
    take(checkout=shopper.key, checkout_network=network_of(request))


def take(**whose: str) -> None:
    """Count one for each of these limits: `take(links="192.0.2.1")`. Raises TooOften."""
    rates = {f"{name}:{who}": rate for name, who in whose.items() if (rate := settings.LIMITS[name])}
    if not rates:
        return
    with transaction.atomic():
        for key, rate in sorted(rates.items()):  # in one order, so that no two wait for each other
            most, _, period = rate.partition("/")
            if wait := Allowance.objects.take(key, int(most), _PERIODS[period[0]]):
                raise TooOften(wait)


def network_of(request: HttpRequest) -> str:
    """Where a request comes from, as it counts everywhere: an IPv4 address, or of IPv6 the whole /64, because
    whoever has one address there has them all. "::" if it is unknown.
    """
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return "::"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address.packed, 64), strict=False).network_address)
    return str(address)
