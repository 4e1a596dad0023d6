"""From what the shop announces to what travels: which audiences care, and what they see."""

from typing import Any

from django.dispatch import receiver

from realtime.fragments import order_fragments
from realtime.panels import hint_of_webhooks
from realtime.publish import publish
from realtime.stock import hurry_stock
from shop.models import Order
from shop.signals import order_changed, stock_changed, webhooks_recorded


@receiver(order_changed)
def push_order(order: Order, **kwargs: Any) -> None:
    publish(order_fragments(order))


@receiver(webhooks_recorded)
def push_deliveries(**kwargs: Any) -> None:
    publish([hint_of_webhooks()])


@receiver(stock_changed)
def push_stock(product_ids: list[int], **kwargs: Any) -> None:
    hurry_stock(product_ids)
