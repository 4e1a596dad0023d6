"""The rule book: which payment status may follow which."""

from django.db.models import TextChoices


class PaymentStatus(TextChoices):
    PENDING = "pending", "Waiting for payment"
    PROCESSING = "processing", "Payment on its way"
    PAID = "paid", "Paid"
    FAILED = "failed", "Payment failed"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


# Stripe is the judge of whether money moved: a payment that comes late, after an expiry or a
# cancellation here, is still a payment. Only the money itself brings such an order back, not its
# announcement: the units are no longer held, and whoever is in HOLDING must hold them. Nothing leads
# away from paid.
ALLOWED: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.PENDING: frozenset(set(PaymentStatus) - {PaymentStatus.PENDING}),
    PaymentStatus.PROCESSING: frozenset({PaymentStatus.PAID, PaymentStatus.FAILED}),
    PaymentStatus.FAILED: frozenset({PaymentStatus.PAID}),
    PaymentStatus.EXPIRED: frozenset({PaymentStatus.PAID}),
    PaymentStatus.CANCELLED: frozenset({PaymentStatus.PAID}),
    PaymentStatus.PAID: frozenset(),
}

# While an order is in one of these, its units are held for it.
HOLDING = frozenset({PaymentStatus.PENDING, PaymentStatus.PROCESSING})


def allowed(before: str, after: str) -> bool:
    """Whether an order may go from one payment status to another."""
    return PaymentStatus(after) in ALLOWED[PaymentStatus(before)]
