"""Any currency that Stripe takes, right from its price to Stripe and to the page."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from io import StringIO

import pytest
from babel.numbers import get_decimal_symbol, get_group_symbol
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from sandbox.environment import ROOT
from sandbox.stripe import money as stripes
from shop import emails
from shop.management.commands.seed_products import SEEDS
from shop.models import Order, Product
from shop.money import (
    CURRENCIES,
    THREE_DECIMAL,
    WHOLE_UNITS,
    ZERO_DECIMAL,
    check_charge,
    decimals,
    formatted,
    largest_charge,
    smallest_charge,
    step,
)
from tests import factories, stripe_events

LOCALES = ["en", "de", "fr", "en_GB", "de_AT", "de_CH", "fr_CA", "hi", "ar", "he", "ja", "pt_BR", "sv"]

# --- as people read it ----------------------------------------------------------------------------


@given(st.integers(-(10**13), 10**13), st.sampled_from(sorted(CURRENCIES)), st.sampled_from(LOCALES))
def test_no_amount_is_changed_by_the_way_it_is_written(amount, currency, locale):
    assert read(formatted(amount, currency, locale), locale) == Decimal(amount).scaleb(-decimals(currency))


def read(text, locale):
    """The number in a text, as somebody from there reads it."""
    group, point = re.escape(get_group_symbol(locale)), re.escape(get_decimal_symbol(locale))
    [(whole, fraction)] = re.findall(rf"(\d(?:{group}?\d)*)(?:{point}(\d+))?", text)
    number = Decimal(f"{re.sub(group, '', whole)}.{fraction or 0}")
    return -number if re.search("[-−]", text) else number


# --- Stripe's rules -------------------------------------------------------------------------------


def test_there_is_one_rule_for_each_currency():
    assert not ZERO_DECIMAL & THREE_DECIMAL
    assert not WHOLE_UNITS & (ZERO_DECIMAL | THREE_DECIMAL)
    assert CURRENCIES >= ZERO_DECIMAL | THREE_DECIMAL | WHOLE_UNITS


def test_the_local_stripe_has_read_the_same_page():
    for currency in CURRENCIES:
        assert currency in stripes.CURRENCIES
        assert decimals(currency) == stripes.digits(currency), currency
        assert smallest_charge(currency) == max(stripes.minimum(currency), step(currency)), currency
        assert largest_charge(currency) == stripes.maximum(currency) // step(currency) * step(currency), (
            currency
        )


PRICES = {
    "cents": ("eur", 1, ""),
    "the largest": ("eur", 99_999_999, ""),
    "too large": ("eur", 100_000_000, "€999,999.99 at most"),
    "large where a unit is worth little": ("idr", 1_000_000_000, ""),
    "a yen": ("jpy", 1, ""),
    "fils that cards know": ("kwd", 1250, ""),
    "fils that cards do not know": ("kwd", 1255, "A multiple of 10"),
    "a whole króna": ("isk", 100, ""),
    "a part of a króna": ("isk", 150, "A multiple of 100"),
    "a part of a shilling": ("ugx", 1, "A multiple of 100"),
    "nothing": ("eur", 0, "greater than or equal to 1"),
    "less than nothing": ("eur", -5, "greater than or equal to 1"),
    "no currency": ("xyz", 100, "currency that Stripe takes"),
    "capitals": ("EUR", 100, "currency that Stripe takes"),
    "no number": ("eur", "x", "whole number"),
    "no price": ("kwd", "", "required"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "price", "says"), PRICES.values(), ids=PRICES.keys())
def test_staff_cannot_set_a_price_that_stripe_would_refuse(admin_client, currency, price, says):
    fields = {"name": "Bell", "slug": "bell", "unit_amount": price, "currency": currency, "active": "on"}
    added = admin_client.post("/admin/shop/product/add/", fields)

    assert (added.status_code == 302) == (says == "") == Product.objects.exists()
    assert says in added.text


@pytest.mark.django_db
def test_staff_cannot_change_a_currency_under_a_price_that_does_not_fit_it(admin_client):
    bell = factories.product(unit_amount=1255)
    fields = {
        "name": "Bell",
        "unit_amount": 1255,
        "currency": "kwd",
        "active": "on",
        "stock": "",
        "version": 1,
    }
    shown = {f"initial-{name}": getattr(bell, name) for name in ("name", "unit_amount", "currency", "stock")}
    changed = admin_client.post(
        f"/admin/shop/product/{bell.pk}/change/", fields | {k: v or "" for k, v in shown.items()}
    )

    assert "A multiple of 10" in changed.text
    bell.refresh_from_db()
    assert bell.currency == "eur"


CARTS = {
    "under the least charge": ("eur", 49, 1, "An order comes to €0.50 at least"),
    "the least charge": ("eur", 50, 1, ""),
    "the least charge by two": ("eur", 25, 2, ""),
    "forints": ("huf", 17_400, 1, "An order comes to HUF\N{NO-BREAK SPACE}175.00 at least"),
    "yen": ("jpy", 49, 1, "An order comes to ¥50 at least"),
    "over the largest charge": ("eur", 99_999_999, 2, "An order comes to €999,999.99 at most"),
    "the largest charge": ("eur", 99_999_999, 1, ""),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "price", "units", "says"), CARTS.values(), ids=CARTS.keys())
def test_a_cart_that_stripe_would_not_charge_is_told_so_at_once(stripe, client, currency, price, units, says):
    bell = factories.product(unit_amount=price, currency=currency)
    chosen = {f"quantity-{bell.slug}": units}
    cart, bought = client.get("/cart/", chosen), client.post("/checkout/", chosen)

    assert says in cart.text
    assert ("Total" in cart.text) == (says == "")
    assert (bought.status_code, Order.objects.exists()) == ((422, False) if says else (303, True))
    assert says in bought.text


# --- all the way ----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("currency", "price", "total"),
    [
        ("eur", 1250, "€37.50"),
        ("jpy", 1250, "¥3,750"),
        ("kwd", 1250, "KWD\N{NO-BREAK SPACE}3.750"),
        ("isk", 125_000, "ISK\N{NO-BREAK SPACE}3,750"),
        ("huf", 125_050, "HUF\N{NO-BREAK SPACE}3,751.50"),
        ("idr", 99_999_999, "IDR\N{NO-BREAK SPACE}2,999,999.97"),
    ],
)
def test_from_the_price_to_stripe_and_back_to_page_and_letter(
    stripe, client, deliver, mailoutbox, currency, price, total
):
    bell = factories.product(unit_amount=price, currency=currency)
    client.post("/checkout/", {f"quantity-{bell.slug}": 3})
    order = Order.objects.get()
    session = stripe.client().v1.checkout.sessions.retrieve(order.stripe_session_id)
    deliver(
        stripe_events.event("checkout.session.completed", {**stripe_events.session(order), "id": session.id})
    )
    emails.send_due()

    assert (
        (session.amount_total, session.currency)
        == (order.amount_total, order.currency)
        == (3 * price, currency)
    )
    assert total in client.get(order.get_absolute_url()).text
    assert total in mailoutbox[0].body


# --- the shop's currency --------------------------------------------------------------------------


@pytest.mark.django_db
def test_new_products_are_priced_in_the_shops_currency(settings):
    settings.CURRENCY = "jpy"

    assert Product(name="Bell").currency == "jpy"


@pytest.mark.django_db
def test_another_currency_is_no_migration(settings):
    settings.CURRENCY = "jpy"

    call_command("makemigrations", "shop", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
def test_the_example_products_can_be_bought_one_by_one_in_any_currency(settings):
    one_of_each_kind = {(step(currency), smallest_charge(currency)): currency for currency in CURRENCIES}
    for currency in one_of_each_kind.values():
        Product.objects.all().delete()
        settings.CURRENCY = currency
        call_command("seed_products", stdout=StringIO())

        products = Product.objects.all()
        assert len(products) == len(SEEDS)
        for product in products:
            product.full_clean()
            assert product.currency == currency
            check_charge(product.unit_amount, currency)


def test_a_currency_that_stripe_does_not_take_stops_the_shop_from_starting():
    command = [sys.executable, "-c", "import project.settings"]
    started = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"CURRENCY": "xyz"}, capture_output=True, text=True
    )

    assert started.returncode == 1
    assert "CURRENCY must be one that Stripe takes" in started.stderr
