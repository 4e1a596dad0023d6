"""An order's way to its buyer, and back: `order.fulfilment.ship(…)`. Order's rules for verbs hold here, too.

Nothing is prepared or sent while it is unpaid, wholly refunded or disputed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F

from shop.models.lines import OrderLine
from shop.models.moves import UNDO, FulfilmentStatus, PaymentStatus, allowed
from shop.models.products import Product
from shop.models.timeline import OrderChange, Source

if TYPE_CHECKING:
    from shop.models.orders import Order

NOT_SENT: dict[str, Any] = {"carrier": "", "tracking_url": ""}


class NotRestockable(Exception):
    """More units than the order has taken and not yet brought back."""


@dataclass(frozen=True, slots=True)
class Fulfilment:
    order: "Order"

    @property
    def may_be_sent(self) -> bool:
        """Whether somebody who has paid for it waits for it."""
        order = self.order
        paid = order.payment_status == PaymentStatus.PAID and order.refunded_amount < order.amount_total
        return paid and not order.disputed

    def prepare(self, *, who_id: int | None) -> bool:
        with self.order.locked():
            unfulfilled = self.order.fulfilment_status == FulfilmentStatus.UNFULFILLED  # and this is no undo
            return unfulfilled and self.may_be_sent and self._fulfil(FulfilmentStatus.PREPARING, who_id)

    def ship(self, *, carrier: str, tracking_url: str, who_id: int | None) -> bool:
        """It has left the house. `carrier` and `tracking_url` may be empty. The buyer gets an e-mail."""
        order = self.order
        with order.locked():
            if order.fulfilment_status != FulfilmentStatus.PREPARING or not self.may_be_sent:
                return False
            way = {"carrier": carrier, "tracking_url": tracking_url}
            return self._fulfil(FulfilmentStatus.SHIPPED, who_id, mail="shipped", **way)

    def deliver(self, *, who_id: int | None) -> bool:
        with self.order.locked():
            return self._fulfil(FulfilmentStatus.DELIVERED, who_id)

    def cancel(self, *, who_id: int | None) -> bool:
        """It will not be sent."""
        with self.order.locked():
            return self._fulfil(FulfilmentStatus.CANCELLED, who_id)

    def undo(self, *, step: str, who_id: int | None) -> bool:
        """Back by one step, from `step`: if it is no longer there, somebody else has undone it."""
        order = self.order
        with order.locked():
            if order.fulfilment_status != step or step not in UNDO:
                return False
            before = UNDO[step]
            gone = NOT_SENT if before == FulfilmentStatus.PREPARING else {}
            return self._fulfil(before, who_id, **gone)

    def restock(self, units: Mapping[int, int], *, who_id: int | None) -> bool:
        """Put units back on the shelf: line's primary key → units. All, or it raises NotRestockable."""
        order = self.order
        units = {pk: count for pk, count in units.items() if count}
        with order.locked():
            if not units or order.payment_status != PaymentStatus.PAID:
                return False
            lines = OrderLine.objects.filter(order=order, pk__in=units).in_bulk()
            if any(pk not in lines or not 0 < count <= lines[pk].restockable for pk, count in units.items()):
                raise NotRestockable
            for pk, count in units.items():
                OrderLine.objects.filter(pk=pk).update(restocked=F("restocked") + count)
            back = {lines[pk].product_id: count for pk, count in units.items()}
            Product.objects.put_back(back)
            before, after = "", str(sum(units.values()))
            return order._change(OrderChange.What.RESTOCK, before, after, Source.STAFF, who_id=who_id)

    def _fulfil(self, after: FulfilmentStatus, who_id: int | None, **fields: Any) -> bool:
        order = self.order
        before = order.fulfilment_status
        if not allowed(FulfilmentStatus, before, after) or order.payment_status != PaymentStatus.PAID:
            return False
        what, fields = OrderChange.What.FULFILMENT, fields | {"fulfilment_status": after}
        return order._change(what, before, after, Source.STAFF, who_id=who_id, **fields)
