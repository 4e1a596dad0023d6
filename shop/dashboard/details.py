"""What staff can do with an order, which they read `with_details`; shown by live/_payment.html."""

from collections.abc import Iterator

from shop.models import FulfilmentStatus, Order, OrderChange, PaymentStatus, Refund, RefundStatus
from shop.models.moves import UNDO, allowed


def actions(order: Order) -> Iterator[str]:
    """What could be done with the order just now, by somebody who may: names of the dashboard's actions."""
    if order.is_open and not _is_being_cancelled(order):
        yield "cancel"
    if order.needs_attention:
        yield "resolve"
    if order.payment_status != PaymentStatus.PAID:
        return
    if order.refundable_amount and not being_refunded(order):
        yield "refund"
    if order.email:
        yield "resend"
    if any(line.restockable for line in order.goods):
        yield "restock"
    yield from _steps(order)


def being_refunded(order: Order) -> Refund | None:
    """The refund that waits for Stripe's answer; as long no second one is made."""
    waiting = (refund for refund in order.refunds.all() if refund.status == RefundStatus.REQUESTED)
    return next(waiting, None)


def _is_being_cancelled(order: Order) -> bool:
    """Whether it will end by itself. One that was held for staff may be paid oddly: only they end that."""
    held = any(change.what == OrderChange.What.ATTENTION for change in order.timeline)
    return bool(order.cancelling) and not held


def _steps(order: Order) -> Iterator[str]:
    status, waited_for = order.fulfilment_status, order.fulfilment.may_be_sent
    if status == FulfilmentStatus.UNFULFILLED and waited_for:
        yield "prepare"
    if status == FulfilmentStatus.PREPARING and waited_for:
        yield "ship"
    if status == FulfilmentStatus.SHIPPED:
        yield "deliver"
    if allowed(FulfilmentStatus, status, FulfilmentStatus.CANCELLED):
        yield "withhold"
    if status in UNDO:
        yield f"undo-{status}"
