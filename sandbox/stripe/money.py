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
CURRENCIES = frozenset(code.lower() for code in list_currencies(locale="en") if len(code) == 3)

MAX_AMOUNT = 99_999_999
# The smallest amounts that Stripe charges, where it names them; elsewhere we take whatever is above zero.
MINIMUMS = {
    "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip


def digits(currency: str) -> int:
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def minimum(currency: str) -> int:
    return MINIMUMS.get(currency, 1)


def show(amount: int, currency: str, locale: str = "en") -> str:
    """`show(1999, "usd")` is "$19.99", `show(500, "jpy", "de")` is "500 ¥"."""
    places = digits(currency)
    value = Decimal(amount).scaleb(-places)
    pattern = _locale(locale).currency_formats["standard"]
    text: str = pattern.apply(value, _locale(locale), currency.upper(), force_frac=(places, places))
    # CLDR puts a space between a code of letters and the number; Babel leaves it out.
    return re.sub(r"(?<=[A-Za-z])(?=[0-9])", "\N{NO-BREAK SPACE}", text)


def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")
