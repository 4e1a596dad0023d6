"""Money is an integer of minor units and an ISO 4217 code in lower case, as Stripe writes it.

What counts is Stripe's table and not ISO's, because Stripe charges: https://docs.stripe.com/currencies
"""

import re
from copy import copy
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.numbers import NumberPattern
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, to_locale

_CODES = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf "
    "chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg "
    "huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk "
    "mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub "
    "rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd "
    "vuv wst xaf xcd xcg xof xpf yer zar zmw"
)
CURRENCIES = frozenset(_CODES.split())
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())  # noqa: SIM905
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
WHOLE_UNITS = frozenset({"isk", "ugx"})
"""Counted in hundredths, of which there are none any more: 5 krónur are 500, and 501 is no amount."""

_SMALLEST_CHARGES = {
    "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50, "krw": 50,
    "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 50, "sek": 300,
    "sgd": 50, "thb": 1000, "usd": 50, "zar": 50,
}  # fmt: skip
_LARGEST_CHARGES = {"cop": 9_999_999_999, "idr": 999_999_999_999, "inr": 999_999_999}


def decimals(currency: str) -> int:
    """Digits behind the point in Stripe's amounts of this currency."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def step(currency: str) -> int:
    """What Stripe's amounts of this currency are multiples of: cards know two of three decimals."""
    return 100 if currency in WHOLE_UNITS else 10 if currency in THREE_DECIMAL else 1


def smallest_charge(currency: str) -> int:
    """As far as Stripe names it; where it does not, it depends on the rate of exchange."""
    return _SMALLEST_CHARGES.get(currency, step(currency))


def largest_charge(currency: str) -> int:
    """Stripe takes eight digits, and more where a unit is worth little."""
    return _LARGEST_CHARGES.get(currency, 99_999_999) // step(currency) * step(currency)


# --- what Stripe would refuse ---------------------------------------------------------------------


def check_currency(currency: str) -> None:
    """Raises ValidationError."""
    if currency not in CURRENCIES:
        raise ValidationError("Three lower-case letters of a currency that Stripe takes, for example eur.")


def check_price(amount: int, currency: str) -> None:
    """Whether one of it can be charged, perhaps with others. Raises ValidationError."""
    if amount % step(currency):
        least = formatted(step(currency), currency)
        raise ValidationError(f"A multiple of {step(currency)}, please: Stripe takes nothing below {least}.")
    if amount > largest_charge(currency):
        raise ValidationError(f"Stripe charges {formatted(largest_charge(currency), currency)} at most.")


def check_charge(amount: int, currency: str) -> None:
    """Whether it can be paid at once. Raises ValidationError with words for the shopper."""
    if amount < smallest_charge(currency):
        least = formatted(smallest_charge(currency), currency)
        raise ValidationError(f"An order comes to {least} at least: choose something more.")
    if amount > largest_charge(currency):
        most = formatted(largest_charge(currency), currency)
        raise ValidationError(f"An order comes to {most} at most: make several of it.")


# --- as people read it ----------------------------------------------------------------------------


def formatted(amount: int, currency: str, locale: str = "") -> str:
    """1234, "eur" → "€12.34"; "12,34 €" with the locale "de". The active language's unless told otherwise."""
    return _formatted(amount, currency, locale or to_locale(get_language() or settings.LANGUAGE_CODE))


def formatted_short(amount: int, currency: str) -> str:
    """The same, but without a fraction of zeros, as axes want it: 5000, "eur" → "€50"; 1250 → "€12.50"."""
    is_whole = amount % 10 ** decimals(currency) == 0
    return _formatted(amount, currency, to_locale(get_language() or settings.LANGUAGE_CODE), is_whole)


@lru_cache(maxsize=4096)
def _formatted(amount: int, currency: str, locale: str, is_whole: bool = False) -> str:
    is_whole = is_whole or (currency in WHOLE_UNITS and amount % 100 == 0)
    places = 0 if is_whole else decimals(currency)
    value = Decimal(amount).scaleb(-decimals(currency))
    text: str = _pattern(locale, places).apply(
        value, locale, currency=currency.upper(), currency_digits=False
    )
    # CLDR wants a space between a currency's letters and the digits behind them; Babel leaves it out.
    return re.sub(r"(?<=[^\W\d_])(\.?)(?=\d)", "\\1\N{NO-BREAK SPACE}", text)


@lru_cache(maxsize=256)
def _pattern(locale: str, places: int) -> NumberPattern:
    pattern: NumberPattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (places, places)
    return pattern
