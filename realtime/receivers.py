"""From what the shop announces to what travels: which audiences care, and what they see."""

from typing import Any

from django.dispatch import receiver

from realtime.fragments import order_fragments
from realtime.publish import publish
from realtime.stock import hurry_stock
from shop.models import Order
from shop.signals import order_changed, stock_changed


@receiver(order_changed)
def push_order(order: Order, **kwargs: Any) -> None:
    publish(order_fragments(order))


@receiver(stock_changed)
def push_stock(product_ids: list[int], **kwargs: Any) -> None:
    hurry_stock(product_ids)
