"""Put the three bells on the shelf."""

from typing import Any

from django.core.management.base import BaseCommand

from shop.models import Product

SEEDS = [
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
        "description": "Five tuned tubes on a linen cord. Hangs in any doorway and never needs a battery.",
        "picture": "pictures/door-chime.svg",
        "unit_amount": 3950,
        "stock": 25,
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
        made = 0
        for seed in SEEDS:
            _product, created = Product.objects.get_or_create(slug=seed["slug"], defaults=seed)
            made += created
        self.stdout.write(f"{made} products created, {len(SEEDS) - made} already there.")
