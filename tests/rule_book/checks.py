"""What must be true of the shop's books, whatever has happened and whatever of it the shop knows yet."""

from dataclasses import dataclass, field
from typing import Any

from shop.models import (
    FulfilmentStatus,
    Order,
    OrderChange,
    PaymentStatus,
    Product,
    Refund,
    RefundStatus,
    StripeEvent,
)
from shop.models.events import OPEN
from shop.models.moves import DISPUTE, FULFILMENT, HARMLESS, HOLDING, PAYMENT, REFUND, REFUNDED, Moves
from tests.rule_book.bank import Bank, Sale
from tests.rule_book.books import Books

What = OrderChange.What
TABLES: dict[str, Moves] = {
    What.PAYMENT: PAYMENT,
    What.FULFILMENT: FULFILMENT,
    What.REFUND: REFUND,
    What.DISPUTE: DISPUTE,
}
NOT_NEWS = {
    "checked_at",
    "checkout_expires_at",
    "placed_at",
    "stripe_session_id",
}
"""Fields that change without a version: what shows them is no page's fragment of the order."""


@dataclass
class Memory:
    """`shelf`: product's primary key → units that staff have counted, taken and brought back set aside."""

    shelf: dict[int, int | None]
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)

    def counted(self, product: Product, stock: int | None) -> None:
        if stock is not None:
            every_order = Order.objects.values_list("pk", flat=True)
            self.shelf[product.pk] = stock + Books.read(every_order).left()[product.pk]


def always(bank: Bank, memory: Memory) -> None:
    books = Books.read(sale.order.pk for sale in bank.sales)
    for sale in bank.sales:
        order = books.orders[sale.order.pk]
        _follows_on(order, memory)
        _made_allowed_moves(order)
        _is_paid_for(order, sale)
        _gave_back_what_stripe_did(order, books.refunds[order.pk], sale)
        assert order.disputed == any(row.status not in HARMLESS for row in books.disputes[order.pk])
    _stock_is_accounted_for(books, memory)


def _follows_on(order: Order, memory: Memory) -> None:
    """The version strictly rises, with one change each, and nothing changes without it."""
    now = {name: value for name, value in vars(order).items() if not name.startswith("_")}
    now = {name: value for name, value in now.items() if name not in NOT_NEWS}
    before = memory.orders.get(order.pk, now)
    assert order.version > before["version"] or now == before
    if before["payment_status"] == PaymentStatus.PAID:
        assert order.payment_status == PaymentStatus.PAID
    memory.orders[order.pk] = now


def _made_allowed_moves(order: Order) -> None:
    assert [change.version for change in order.timeline] == list(range(1, order.version + 1))
    at = {What.PAYMENT: str(PaymentStatus.PENDING), What.FULFILMENT: str(FulfilmentStatus.UNFULFILLED)}
    for change in order.timeline:
        table = TABLES.get(change.what)
        if table and change.before:
            assert change.after in table[change.before], change
        if change.what in at:
            assert change.before == at[What(change.what)], change
            at[What(change.what)] = change.after
    assert at == {What.PAYMENT: order.payment_status, What.FULFILMENT: order.fulfilment_status}


def _is_paid_for(order: Order, sale: Sale) -> None:
    paid = order.payment_status == PaymentStatus.PAID
    if paid:
        assert sale.is_paid, "Stripe has no money for it"
        assert not sale.is_odd
    assert paid or order.fulfilment_status == FulfilmentStatus.UNFULFILLED
    if any(line.missing for line in order.goods):
        [payment] = [change for change in order.timeline if change.after == PaymentStatus.PAID]
        assert payment.before not in HOLDING, "it was held for this very order"
        assert any(change.what == What.ATTENTION for change in order.timeline)


def _gave_back_what_stripe_did(order: Order, refunds: list[Refund], sale: Sale) -> None:
    gone = sum(refund.amount for refund in refunds if refund.status in REFUNDED)
    assert order.refunded_amount == min(gone, order.amount_total)
    at_stripe = {refund["id"]: refund["amount"] for refund in sale.refunds}
    for refund in refunds:
        assert refund.stripe_refund_id is None or at_stripe[refund.stripe_refund_id] == refund.amount


def _stock_is_accounted_for(books: Books, memory: Memory) -> None:
    left, held = books.left(), books.held()
    for pk, counted in memory.shelf.items():
        product = books.products[pk]
        assert product.stock == (None if counted is None else counted - left[pk])
        assert product.held == held[pk]
        assert product.stock is None or 0 <= product.held <= product.stock


# --- when everything is told ------------------------------------------------------------------------


def in_the_end(bank: Bank, *, by_events: bool) -> None:
    """Each order is in the one state that what Stripe did allows."""
    books = Books.read(sale.order.pk for sale in bank.sales)
    for sale in bank.sales:
        order = books.orders[sale.order.pk]
        assert order.payment_status in _right_states(order, sale)
        if order.payment_status == PaymentStatus.PAID:
            _followed_the_money(order, books, sale)
        else:
            assert not books.refunds[order.pk] + books.disputes[order.pk]
    odd = [word.event["id"] for word in bank.words if word.sale.is_odd]
    told = StripeEvent.objects.filter(pk__in=[word.event["id"] for word in bank.words])
    assert not told.filter(outcome__in=OPEN).exclude(pk__in=odd).exists()
    assert not by_events or told.count() == len(bank.words)


def _right_states(order: Order, sale: Sale) -> set[str]:
    ended = PaymentStatus.CANCELLED if order.cancelling else PaymentStatus.EXPIRED
    if sale.session["status"] == "expired":
        return {ended}
    if sale.is_paid and not sale.is_odd:
        return {PaymentStatus.PAID}
    # Whose session the shop never learned of, it could end here alone; and staff end what was paid oddly.
    alone = {ended} if order.stripe_session_id is None or (sale.is_odd and order.cancelling) else set()
    if sale.is_open or sale.is_odd:
        return {PaymentStatus.PENDING} | alone
    return {PaymentStatus.FAILED if sale.failed else PaymentStatus.PROCESSING} | alone


def _followed_the_money(order: Order, books: Books, sale: Sale) -> None:
    refunds = books.refunds[order.pk]
    assert not [refund for refund in refunds if refund.status == RefundStatus.REQUESTED]
    made = {refund.stripe_refund_id: refund.status for refund in refunds if refund.stripe_refund_id}
    assert made == {refund["id"]: refund["status"] for refund in sale.refunds}
    assert order.refunded_amount == sale.given_back
    disputes = {dispute.stripe_dispute_id: dispute.status for dispute in books.disputes[order.pk]}
    assert disputes == {dispute["id"]: dispute["status"] for dispute in sale.disputes}
    assert order.disputed == sale.is_disputed
