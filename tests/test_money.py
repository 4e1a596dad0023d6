"""Amounts as people read them."""

import pytest
from django.utils import translation

from shop.models import Order
from shop.money import THREE_DECIMAL, ZERO_DECIMAL, decimals, formatted
from tests import factories

AMOUNTS = [
    (1234, "eur", "€12.34"),
    (5, "eur", "€0.05"),
    (0, "eur", "€0.00"),
    (-1234, "eur", "-€12.34"),
    (123_456_789, "usd", "$1,234,567.89"),
    (99_999_999_999, "gbp", "£999,999,999.99"),
    (1234, "jpy", "¥1,234"),
    (500, "krw", "₩500"),
    (1_234_560, "kwd", "KWD\N{NO-BREAK SPACE}1,234.560"),
    (1234, "chf", "CHF\N{NO-BREAK SPACE}12.34"),
    # Where Stripe's table differs from ISO's, Stripe's counts: it charges.
    (1200, "isk", "ISK\N{NO-BREAK SPACE}12"),
    (120_000, "ugx", "UGX\N{NO-BREAK SPACE}1,200"),
    (1234, "isk", "ISK\N{NO-BREAK SPACE}12.34"),  # which cannot be, but must not be hidden
    (1234, "huf", "HUF\N{NO-BREAK SPACE}12.34"),
    (1234, "zzz", "ZZZ\N{NO-BREAK SPACE}12.34"),
]


@pytest.mark.parametrize(("amount", "currency", "text"), AMOUNTS)
def test_an_amount_in_minor_units_reads_as_its_currency_is_written(amount, currency, text):
    assert formatted(amount, currency) == text


def test_an_amount_reads_as_its_locale_writes_it():
    assert formatted(123_456, "eur", "de") == "1.234,56\N{NO-BREAK SPACE}€"
    assert formatted(123_456, "eur", "fr") == "1\N{NARROW NO-BREAK SPACE}234,56\N{NO-BREAK SPACE}€"


def test_an_amount_reads_as_the_active_language_writes_it():
    with translation.override("de"):
        assert formatted(123_456, "eur") == "1.234,56\N{NO-BREAK SPACE}€"
        assert formatted(123_456, "eur", "en") == "€1,234.56"
    with translation.override("en-gb"):
        assert formatted(123_456, "eur") == "€1,234.56"
    with translation.override(None):
        assert formatted(123_456, "eur") == "€1,234.56"


def test_no_currency_has_two_numbers_of_decimals():
    assert not ZERO_DECIMAL & THREE_DECIMAL
    assert [decimals(currency) for currency in ("jpy", "eur", "kwd")] == [0, 2, 3]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("currency", "each", "total"), [("jpy", "¥1,250", "¥3,750"), ("eur", "€12.50", "€37.50")]
)
def test_every_page_writes_it_so(client, currency, each, total):
    bell = factories.product(unit_amount=1250, currency=currency)
    shop = client.get("/", {f"quantity-{bell.slug}": 3}).text
    order = factories.order(factories.shopper_of(client), (bell, 3))

    assert each in shop
    assert total in shop
    assert total in client.get("/orders/").text
    assert total in client.get(Order.objects.get(pk=order.pk).get_absolute_url()).text


@pytest.mark.django_db
def test_the_pages_write_it_as_the_shops_language_does(client, settings):
    settings.LANGUAGE_CODE = "de"
    factories.product(unit_amount=1250)

    assert "12,50\N{NO-BREAK SPACE}€" in client.get("/").text
