"""Amounts as people type them."""

from decimal import Decimal, InvalidOperation

from sandbox.stripe import money
from sandbox.stripe.api.errors import invalid


def minor_units(text: str, currency: str) -> int:
    """`minor_units("12,5", "eur")` is 1250; raises StripeError."""
    try:
        amount = Decimal(text.strip().replace(",", ".")).scaleb(money.digits(currency))
        if amount == int(amount):
            return int(amount)
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise invalid(f"{text.strip()[:20]!r} is no amount in {currency.upper()}.", "amount")


def plain(amount: int, currency: str) -> str:
    """`plain(1250, "eur")` is 12.50."""
    places = money.digits(currency)
    return f"{Decimal(amount).scaleb(-places):.{places}f}"
