"""Which amounts Stripe takes: https://docs.stripe.com/currencies#special-cases"""

from sandbox.stripe import money
from sandbox.stripe.api.errors import invalid


def check_whole(amount: int, currency: str, param: str) -> None:
    """Raises StripeError for a fraction that the currency, or its cards, no longer have."""
    if currency in money.WHOLE_UNITS and amount % 100:
        raise invalid(
            f"Invalid amount. Currency {currency.upper()} has become effectively zero-decimal and charged"
            " amounts must be evenly divisible by 100. See"
            " https://stripe.com/docs/currencies#special-cases for more information.",
            param,
            "invalid_charge_amount_no_decimal_compatible",
        )
    if currency in money.THREE_DECIMAL and amount % 10:
        raise invalid(
            f"Invalid amount. Amounts in {currency.upper()} must end with a zero: payment partners know two"
            " of its three decimals.",
            param,
            "parameter_invalid_integer",
        )
