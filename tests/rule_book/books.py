"""What the shop's database says of some orders, read in a few statements."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shop.models import Dispute, Order, PaymentStatus, Product, Refund
from shop.models.moves import HOLDING


@dataclass
class Books:
    """`refunds` and `disputes` by their order's primary key."""

    orders: dict[int, Order]
    refunds: dict[int, list[Refund]]
    disputes: dict[int, list[Dispute]]
    products: dict[int, Product]

    @classmethod
    def read(cls, orders: Iterable[int]) -> "Books":
        pks = list(orders)
        return cls(
            {order.pk: order for order in Order.objects.in_full(pks)},
            _by_order(Refund.objects.filter(order__in=pks)),
            _by_order(Dispute.objects.filter(order__in=pks)),
            Product.objects.in_bulk(),
        )

    def held(self) -> "Counter[int]":
        """Product's primary key → units promised to open orders."""
        units: Counter[int] = Counter()
        for order in self._in(HOLDING):
            for line in order.goods:
                units[line.product_id] += line.quantity
        return units

    def left(self) -> "Counter[int]":
        """Product's primary key → units that left the shelf with paid orders and have not come back."""
        units: Counter[int] = Counter()
        for order in self._in({PaymentStatus.PAID}):
            for line in order.goods:
                units[line.product_id] += 0 if line.missing else line.quantity - line.restocked
        return units

    def _in(self, statuses: Iterable[str]) -> list[Order]:
        return [order for order in self.orders.values() if order.payment_status in statuses]


def _by_order(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[row.order_id].append(row)
    return found
