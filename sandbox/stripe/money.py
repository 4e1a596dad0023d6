"""Amounts in Stripe's minor units: https://docs.stripe.com/currencies"""

import re
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.numbers import list_currencies

# Not Babel's precisions: Stripe counts some currencies in hundredths that CLDR shows without decimals.
ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Counted in hundredths, of which there are none: Stripe's special cases. Its list of zero-decimal currencies
# names the second one, too, but 5 shillings are 500.
WHOLE_UNITS = frozenset(["isk", "ugx"])
CURRENCIES = frozenset(code.lower() for code in list_currencies(locale="en") if len(code) == 3)

# Eight digits, and more where a unit is worth little.
_MAXIMUM, _MAXIMUMS = 99_999_999, {"cop": 9_999_999_999, "idr": 999_999_999_999, "inr": 999_999_999}
# The smallest amounts that Stripe charges, where it names them; elsewhere we take whatever is above zero.
_MINIMUMS = {
    "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50,
    "jpy": 50, "krw": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200,
    "ron": 200, "rub": 50, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50, "zar": 50,
}  # fmt: skip


def digits(currency: str) -> int:
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def minimum(currency: str) -> int:
    return _MINIMUMS.get(currency, 1)


def maximum(currency: str) -> int:
    return _MAXIMUMS.get(currency, _MAXIMUM)


def show(amount: int, currency: str, locale: str = "en") -> str:
    """`show(1999, "usd")` is "$19.99", `show(500, "jpy", "de")` is "500 ¥", `show(500, "isk")` "ISK 5"."""
    value = Decimal(amount).scaleb(-digits(currency))
    places = 0 if currency in WHOLE_UNITS else digits(currency)
    pattern = _locale(locale).currency_formats["standard"]
    text: str = pattern.apply(value, _locale(locale), currency.upper(), force_frac=(places, places))
    # CLDR puts a space between a code of letters and the number; Babel leaves it out.
    return re.sub(r"(?<=[A-Za-z])(?=[0-9])", "\N{NO-BREAK SPACE}", text)


def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")
