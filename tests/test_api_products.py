"""GET /api/v1/products/: what the shop page shows, for programs."""

import pytest
from babel import localedata

from tests import factories

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v1/products/"


def test_a_product_says_what_the_shop_page_says(client):
    factories.product(
        slug="bell",
        name="Bell <b>",
        description="One tap & somebody comes.",
        picture="pictures/counter-bell.svg",
        unit_amount=1250,
        stock=5,
    )

    response = client.get(PRODUCTS)

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    bell = {
        "slug": "bell",
        "name": "Bell <b>",
        "description": "One tap & somebody comes.",
        "picture": "http://127.0.0.1:8000/static/pictures/counter-bell.svg",
        "unit_amount": 1250,
        "currency": "eur",
        "unit_amount_formatted": "€12.50",
        "available": 5,
    }
    assert response.json() == [bell]
    assert client.get(f"{PRODUCTS}bell/").json() == bell


def test_what_is_available_is_what_nobody_else_holds(client):
    bell = factories.product(stock=5)
    factories.product(slug="endless", stock=None)
    factories.order(None, (bell, 2))

    available = [product["available"] for product in client.get(PRODUCTS).json()]
    assert available == [3, None]


def test_a_product_without_a_picture_shows_the_shops_own_at_the_public_address(client, settings):
    settings.PUBLIC_URL = "https://shop.example"
    bell = factories.product()

    picture = client.get(f"{PRODUCTS}{bell.slug}/").json()["picture"]
    assert picture == "https://shop.example/static/pictures/shopbell.svg"


@pytest.mark.parametrize(
    ("language", "price"),
    [
        ("de", "12,50 €"),
        ("de-AT", "€ 12,50"),
        ("tlh, de;q=0.5", "12,50 €"),
        ("de-XX", "12,50 €"),
        ("en;q=0.1, fr", "12,50 €"),
        ("*", "€12.50"),
        ("tlh", "€12.50"),
        (";;q=é", "€12.50"),
        ("ja", "€12.50"),
        (", ".join(["tlh"] * 9 + ["de"]), "12,50 €"),
        (", ".join(["tlh"] * 10 + ["de"]), "€12.50"),
        ("x" * 5000, "€12.50"),
        ("", "€12.50"),
    ],
)
def test_a_price_is_written_as_the_caller_reads_prices(client, language, price):
    factories.product(unit_amount=1250)

    response = client.get(PRODUCTS, headers={"accept-language": language})
    assert response.json()[0]["unit_amount_formatted"].replace("\xa0", " ") == price
    assert "Accept-Language" in response["Vary"]


def test_no_caller_makes_the_shop_keep_what_it_does_not_offer(client):
    """Babel never forgets a locale that it was asked for, and each takes half a megabyte."""
    factories.product(unit_amount=1250)
    kept = set(localedata._cache)
    unlisted = [name for name in localedata.locale_identifiers() if name[:2] not in ("de", "en", "fr")]

    for name in [*unlisted[::10], "en-150", "de-IT", "fr-SN"]:
        headers = {"accept-language": f"{name.replace('_', '-')}, {name.partition('_')[0]};q=0.5"}
        assert client.get(PRODUCTS, headers=headers).status_code == 200
    assert set(localedata._cache) - kept <= {"root", "de", "en", "fr"}


def test_prices_without_cents_and_in_thousandths_are_right(client):
    factories.product(slug="gong", unit_amount=1250, currency="jpy")
    factories.product(slug="oud", unit_amount=1250, currency="kwd")

    gong, oud = [product["unit_amount_formatted"] for product in client.get(PRODUCTS).json()]
    assert gong == "¥1,250"
    assert oud.startswith("KWD")
    assert oud.endswith("1.250")


def test_what_is_not_on_sale_is_not_there(client):
    factories.product(slug="off-sale", active=False)

    assert client.get(PRODUCTS).json() == []
    for slug in ("off-sale", "never-was"):
        assert client.get(f"{PRODUCTS}{slug}/").status_code == 404


def test_prices_and_stock_may_not_be_kept_by_anybody(client):
    assert "no-store" in client.get(PRODUCTS)["Cache-Control"]


def test_reading_makes_nobody_a_guest(client):
    client.get(PRODUCTS)
    assert not client.cookies


def test_a_list_costs_the_same_however_long_it_is(client, django_assert_num_queries):
    for count in (1, 20):
        for _ in range(count):
            factories.product()
        with django_assert_num_queries(1):
            client.get(PRODUCTS)
