"""From what the shop announces to what travels: which audiences care, and what they see."""

from itertools import chain
from typing import Any

from django.dispatch import receiver

from realtime.fragments import order_fragments, order_hints, stock_fragment
from realtime.publish import publish
from shop.models import Order, Product
from shop.signals import order_changed, stock_changed


@receiver(order_changed)
def push_order(order: Order, **kwargs: Any) -> None:
    publish(chain(order_fragments(order), order_hints(order)))


@receiver(stock_changed)
def push_stock(product_ids: list[int], **kwargs: Any) -> None:
    publish(stock_fragment(product) for product in Product.objects.filter(pk__in=product_ids))
