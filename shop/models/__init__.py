from shop.models.events import Outcome, StripeEvent
from shop.models.lines import OrderLine
from shop.models.moves import PaymentStatus
from shop.models.orders import Order
from shop.models.products import Product, SoldOut
from shop.models.timeline import OrderChange, Source

__all__ = [
    "Order",
    "OrderChange",
    "OrderLine",
    "Outcome",
    "PaymentStatus",
    "Product",
    "SoldOut",
    "Source",
    "StripeEvent",
]
