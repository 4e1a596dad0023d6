"""Amounts as people type them."""

import re
from decimal import Decimal

from sandbox.stripe import money
from sandbox.stripe.api.errors import invalid


def minor_units(given: object, currency: str) -> int:
    """Of text as on a price tag, `minor_units("12,5", "eur")` is 1250; a number is in minor units already.

    Raises StripeError.
    """
    places = money.digits(currency) if isinstance(given, str) else 0
    text = str(given).strip()
    if re.fullmatch(r"[0-9]{1,9}([.,][0-9]{1,3})?", text, re.ASCII):
        amount = Decimal(text.replace(",", ".")).scaleb(places)
        if amount == int(amount):
            return int(amount)
    raise invalid(f"{text[:20]!r} is no amount in {currency.upper()}.", "amount")


def plain(amount: int, currency: str) -> str:
    """`plain(1250, "eur")` is 12.50."""
    places = money.digits(currency)
    return f"{Decimal(amount).scaleb(-places):.{places}f}"
