"""Put the three bells on the shelf."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from shop.models import Product
from shop.money import smallest_charge, step

SEEDS: list[dict[str, Any]] = [
    {
        "slug": "counter-bell",
        "name": "Counter bell",
        "description": "Polished brass on a walnut foot. One tap, and somebody comes.",
        "picture": "pictures/counter-bell.svg",
        "unit_amount": 2400,
        "stock": 40,
    },
    {
        "slug": "door-chime",
        "name": "Door chime",
        "description": "Five tuned tubes on a linen cord, made to order. Never needs a battery.",
        "picture": "pictures/door-chime.svg",
        "unit_amount": 3950,
        "stock": None,  # so that a shop that simulated shoppers visit never runs out of everything
    },
    {
        "slug": "bicycle-bell",
        "name": "Bicycle bell",
        "description": "A clear two-note ding for towns and towpaths. Fits every handlebar.",
        "picture": "pictures/bicycle-bell.svg",
        "unit_amount": 1250,
        "stock": 60,
    },
]


class Command(BaseCommand):
    help = "Create the three example products. Safe to repeat: what exists, and its stock, stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        made, times = 0, _times(settings.CURRENCY)
        for seed in SEEDS:
            priced = seed | {"unit_amount": seed["unit_amount"] * times}
            _product, created = Product.objects.get_or_create(slug=seed["slug"], defaults=priced)
            made += created
        self.stdout.write(f"{made} products created, {len(SEEDS) - made} already there.")


def _times(currency: str) -> int:
    """What makes the prices, thought of in euro cents, ones that Stripe takes in the shop's currency."""
    prices, times = [seed["unit_amount"] for seed in SEEDS], 1
    while min(prices) * times < smallest_charge(currency) or any(
        price * times % step(currency) for price in prices
    ):
        times *= 10
    return times
