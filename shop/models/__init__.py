from shop.models.disputes import Dispute, DisputeFacts
from shop.models.emails import LinksEmail, OrderEmail
from shop.models.events import Outcome, RefusedDelivery, StripeEvent
from shop.models.fulfilment import NotRestockable
from shop.models.limits import Allowance
from shop.models.lines import OrderLine
from shop.models.links import OrderGrant, OrderLink
from shop.models.moves import DisputeStatus, FulfilmentStatus, PaymentStatus, RefundStatus
from shop.models.orders import Order
from shop.models.products import Product, SoldOut
from shop.models.refunds import NotRefundable, Refund, RefundFacts
from shop.models.rounds import ReconcilerTally
from shop.models.timeline import OrderChange, Source

__all__ = [
    "Allowance",
    "Dispute",
    "DisputeFacts",
    "DisputeStatus",
    "FulfilmentStatus",
    "LinksEmail",
    "NotRefundable",
    "NotRestockable",
    "Order",
    "OrderChange",
    "OrderEmail",
    "OrderGrant",
    "OrderLine",
    "OrderLink",
    "Outcome",
    "PaymentStatus",
    "Product",
    "ReconcilerTally",
    "Refund",
    "RefundFacts",
    "RefundStatus",
    "RefusedDelivery",
    "SoldOut",
    "Source",
    "StripeEvent",
]
