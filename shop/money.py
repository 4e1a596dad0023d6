"""Money is an integer of minor units and an ISO 4217 code in lower case, as Stripe writes it.

Stripe counts some currencies without minor units and some in thousandths
(https://docs.stripe.com/currencies#zero-decimal); its table differs from ISO's, and Stripe charges.
"""

from copy import copy
from decimal import Decimal
from functools import cache, lru_cache

from babel import Locale
from babel.numbers import NumberPattern

ZERO_DECIMAL = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split()  # noqa: SIM905
)
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})


def decimals(currency: str) -> int:
    """Digits behind the point in Stripe's amounts of this currency."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


@lru_cache(maxsize=4096)
def formatted(amount: int, currency: str, locale: str = "en") -> str:
    """1234, "eur" → "€12.34"."""
    places = decimals(currency)
    value = Decimal(amount).scaleb(-places)
    text: str = _pattern(locale, places).apply(
        value, locale, currency=currency.upper(), currency_digits=False
    )
    return text


@cache
def _pattern(locale: str, places: int) -> NumberPattern:
    pattern: NumberPattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (places, places)
    return pattern
