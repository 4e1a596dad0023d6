"""The rule book: which state may follow which. docs/states.md has pictures of it, made from these tables."""

from collections.abc import Mapping
from typing import Any

from django.db.models import TextChoices


class PaymentStatus(TextChoices):
    PENDING = "pending", "Waiting for payment"
    PROCESSING = "processing", "Payment on its way"
    PAID = "paid", "Paid"
    FAILED = "failed", "Payment failed"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


class FulfilmentStatus(TextChoices):
    UNFULFILLED = "unfulfilled", "Not yet prepared"
    PREPARING = "preparing", "Being prepared"
    SHIPPED = "shipped", "On its way"
    DELIVERED = "delivered", "Delivered"
    CANCELLED = "cancelled", "Will not be sent"


class RefundStatus(TextChoices):
    """Stripe's, and `requested` while we do not yet know what Stripe says to it.

    https://docs.stripe.com/api/refunds/object#refund_object-status
    """

    REQUESTED = "requested", "Requested"
    PENDING = "pending", "Under way"
    REQUIRES_ACTION = "requires_action", "Waiting for the customer"
    SUCCEEDED = "succeeded", "Refunded"
    FAILED = "failed", "Refund failed"
    CANCELED = "canceled", "Refund canceled"


class DisputeStatus(TextChoices):
    """Stripe's. https://docs.stripe.com/api/disputes/object#dispute_object-status"""

    WARNING_NEEDS_RESPONSE = "warning_needs_response", "Inquiry: needs a response"
    WARNING_UNDER_REVIEW = "warning_under_review", "Inquiry under review"
    WARNING_CLOSED = "warning_closed", "Inquiry closed"
    NEEDS_RESPONSE = "needs_response", "Needs a response"
    UNDER_REVIEW = "under_review", "Under review"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response", "Appeal: needs a response"
    APPEAL_UNDER_REVIEW = "appeal_under_review", "Appeal under review"
    LOST = "lost", "Lost"
    WON = "won", "Won"
    PREVENTED = "prevented", "Prevented"


Moves = Mapping[Any, frozenset[Any]]

# Stripe is the judge of whether money moved: a payment that comes late, after an expiry or a
# cancellation here, is still a payment. Only the money itself brings such an order back, not its
# announcement: the units are no longer held, and whoever is in HOLDING must hold them. Nothing leads
# away from paid.
PAYMENT: Moves = {
    PaymentStatus.PENDING: frozenset(set(PaymentStatus) - {PaymentStatus.PENDING}),
    PaymentStatus.PROCESSING: frozenset({PaymentStatus.PAID, PaymentStatus.FAILED}),
    PaymentStatus.FAILED: frozenset({PaymentStatus.PAID}),
    PaymentStatus.EXPIRED: frozenset({PaymentStatus.PAID}),
    PaymentStatus.CANCELLED: frozenset({PaymentStatus.PAID}),
    PaymentStatus.PAID: frozenset(),
}

FULFILMENT: Moves = {
    FulfilmentStatus.UNFULFILLED: frozenset({FulfilmentStatus.PREPARING, FulfilmentStatus.CANCELLED}),
    FulfilmentStatus.PREPARING: frozenset(
        {FulfilmentStatus.SHIPPED, FulfilmentStatus.CANCELLED, FulfilmentStatus.UNFULFILLED}
    ),
    FulfilmentStatus.SHIPPED: frozenset({FulfilmentStatus.DELIVERED, FulfilmentStatus.PREPARING}),
    FulfilmentStatus.DELIVERED: frozenset({FulfilmentStatus.SHIPPED}),
    FulfilmentStatus.CANCELLED: frozenset({FulfilmentStatus.UNFULFILLED}),
}

# Stripe's news come in any order, so these lead one way only: what arrives late changes nothing. A refund
# may fail days after it has succeeded, when the bank sends the money back.
_UNDER_WAY = {RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.CANCELED}
REFUND: Moves = {
    RefundStatus.REQUESTED: frozenset(set(RefundStatus) - {RefundStatus.REQUESTED}),
    RefundStatus.PENDING: frozenset(_UNDER_WAY | {RefundStatus.REQUIRES_ACTION}),
    RefundStatus.REQUIRES_ACTION: frozenset(_UNDER_WAY),
    RefundStatus.SUCCEEDED: frozenset({RefundStatus.FAILED}),
    RefundStatus.FAILED: frozenset(),
    RefundStatus.CANCELED: frozenset(),
}

# An inquiry may become a dispute, and a lost one may be won on appeal. That a lost one is being appealed is
# not followed: if it led back, late news could not be told from new. The goods wait in both states.
_DECIDED = {DisputeStatus.LOST, DisputeStatus.WON, DisputeStatus.PREVENTED}
_APPEALED = _DECIDED | {DisputeStatus.APPEAL_UNDER_REVIEW}
_REVIEWED = _APPEALED | {DisputeStatus.APPEAL_NEEDS_RESPONSE}
_ARGUED = _REVIEWED | {DisputeStatus.UNDER_REVIEW}
_DISPUTED = _ARGUED | {DisputeStatus.NEEDS_RESPONSE}
DISPUTE: Moves = {
    DisputeStatus.WARNING_NEEDS_RESPONSE: frozenset(
        _DISPUTED | {DisputeStatus.WARNING_UNDER_REVIEW, DisputeStatus.WARNING_CLOSED}
    ),
    DisputeStatus.WARNING_UNDER_REVIEW: frozenset(_DISPUTED | {DisputeStatus.WARNING_CLOSED}),
    DisputeStatus.WARNING_CLOSED: frozenset(_DISPUTED),
    DisputeStatus.NEEDS_RESPONSE: frozenset(_ARGUED),
    DisputeStatus.UNDER_REVIEW: frozenset(_REVIEWED),
    DisputeStatus.APPEAL_NEEDS_RESPONSE: frozenset(_APPEALED),
    DisputeStatus.APPEAL_UNDER_REVIEW: frozenset(_DECIDED),
    DisputeStatus.LOST: frozenset({DisputeStatus.WON}),
    DisputeStatus.WON: frozenset(),
    DisputeStatus.PREVENTED: frozenset(),
}

MOVES: Mapping[type[TextChoices], Moves] = {
    PaymentStatus: PAYMENT,
    FulfilmentStatus: FULFILMENT,
    RefundStatus: REFUND,
    DisputeStatus: DISPUTE,
}

# While an order is in one of these, its units are held for it.
HOLDING = frozenset({PaymentStatus.PENDING, PaymentStatus.PROCESSING})

# Its goods are, or were, on their way: that takes a payment.
FULFILLING = frozenset(set(FulfilmentStatus) - {FulfilmentStatus.UNFULFILLED, FulfilmentStatus.CANCELLED})

# Money that is on its way back counts as gone.
REFUNDED = frozenset({RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED})

# Its money is ours again, or was never taken away; every other dispute pauses the fulfilment.
HARMLESS = frozenset({DisputeStatus.WON, DisputeStatus.PREVENTED, DisputeStatus.WARNING_CLOSED})


def allowed(kind: type[TextChoices], before: str, after: str) -> bool:
    """Whether an order, refund or dispute may go from one state of this kind to another."""
    return kind(after) in MOVES[kind][kind(before)]


UNDO: Mapping[str, FulfilmentStatus] = {
    FulfilmentStatus.PREPARING: FulfilmentStatus.UNFULFILLED,
    FulfilmentStatus.SHIPPED: FulfilmentStatus.PREPARING,
    FulfilmentStatus.DELIVERED: FulfilmentStatus.SHIPPED,
    FulfilmentStatus.CANCELLED: FulfilmentStatus.UNFULFILLED,
}
"""Fulfilment status → the one a step before it."""
