"""Choosing quantities: what counts as one, what is said about what does not, and that nothing is lost."""

import re
from html import escape
from html.parser import HTMLParser

import pytest

from shop.models import Order, Product
from tests import factories

pytestmark = pytest.mark.django_db

WHOLE = "Enter a whole number from 0 to 99."
MOST = "At most 99 of each in one order."

NOT_QUANTITIES = {
    "-1": ("-1", WHOLE),
    "100": ("100", MOST),
    "1000": ("1000", MOST),
    "1e9": ("1e9", WHOLE),
    "1e3": ("1e3", WHOLE),
    "a full-width one": ("１", WHOLE),
    "an Arabic one": ("١", WHOLE),
    "a superscript two": ("²", WHOLE),
    "NaN": ("NaN", WHOLE),
    "inf": ("inf", WHOLE),
    "empty": ("", WHOLE),
    "blank": ("   ", WHOLE),
    "a fraction": ("1.5", WHOLE),
    "1.0": ("1.0", WHOLE),
    "with a sign": ("+1", WHOLE),
    "hexadecimal": ("0x1", WHOLE),
    "with an underscore": ("1_0", WHOLE),
    "with a comma": ("1,0", WHOLE),
    "a line break": ("1\n", WHOLE),
    "NUL": ("1\0", WHOLE),
    "ten thousand digits": ("9" * 10_000, WHOLE),
    "markup": ('"><script>alert(1)</script>', WHOLE),
    "words": ("DROP TABLE", WHOLE),
}


@pytest.fixture
def bell():
    return factories.product(slug="bell", name="Bell", unit_amount=1250)


@pytest.fixture
def chime():
    return factories.product(slug="chime", name="Chime", unit_amount=3950)


class Inputs(HTMLParser):
    """The page's input fields by name, and what stands at each as its error."""

    def __init__(self, page):
        super().__init__()
        self.fields = {}
        self._by_id = {}
        self._error_of = None
        self.errors = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "input" and "name" in attrs:
            self.fields[attrs["name"]] = attrs
            self._by_id[attrs.get("id")] = attrs["name"]
        elif attrs.get("id", "").endswith("_error"):
            self._error_of = self._by_id[attrs["id"].removesuffix("_error")]

    def handle_data(self, data):
        if self._error_of and data.strip():
            self.errors[self._error_of] = data
            self._error_of = None


def words(response):
    """What a reader sees of it."""
    parted = re.sub(r"</?(?:li|p)\b[^>]*>", " ", response.text)
    return " ".join(re.sub("<[^>]*>", "", parted).split())


@pytest.mark.parametrize(("typed", "says"), NOT_QUANTITIES.values(), ids=NOT_QUANTITIES.keys())
def test_what_is_no_quantity_is_said_at_its_field_and_kept_26(client, bell, chime, typed, says):
    response = client.post("/checkout/", {"quantity-bell": typed, "quantity-chime": "2"})

    assert response.status_code == 422
    page = Inputs(response.text)
    assert page.errors == {"quantity-bell": says}
    field = page.fields["quantity-bell"]
    assert field["value"] == typed
    assert field["aria-invalid"] == "true"
    assert "id_quantity-bell_error" in field["aria-describedby"]
    assert page.fields["quantity-chime"]["value"] == "2"
    assert "<script>alert" not in response.text
    assert not Order.objects.exists()
    assert not Product.objects.exclude(held=0).exists()


@pytest.mark.parametrize("data", [{}, {"quantity-bell": "0", "quantity-chime": "0"}], ids=["none", "zeroes"])
def test_nothing_chosen_is_nothing_to_buy_26(client, bell, chime, data):
    response = client.post("/checkout/", data)

    assert response.status_code == 422
    assert "Choose at least one thing to buy." in response.text
    assert not Order.objects.exists()


def test_a_repeated_field_is_a_mistake_and_not_a_choice_26(client, bell):
    response = client.post("/checkout/", {"quantity-bell": ["1", "2"]})

    assert response.status_code == 422
    page = Inputs(response.text)
    assert page.errors == {"quantity-bell": WHOLE}
    assert page.fields["quantity-bell"]["value"] == "1 2"


@pytest.mark.parametrize("typed", ["1", "99", "07", " 3 "])
def test_what_is_a_quantity_adds_up(client, bell, typed):
    cart = client.get("/cart/", {"quantity-bell": typed})

    assert f"{int(typed)} × Bell" in words(cart)


def test_things_of_different_currencies_are_bought_one_after_the_other(client, bell):
    factories.product(slug="gong", currency="jpy")
    response = client.post("/checkout/", {"quantity-bell": "1", "quantity-gong": "1"})

    assert response.status_code == 422
    assert "different currencies" in response.text


# --- adding up --------------------------------------------------------------------------------------


def test_the_cart_adds_up_what_is_chosen(client, bell, chime):
    cart = client.get("/cart/", {"quantity-bell": "2", "quantity-chime": "1"}, headers={"HX-Request": "true"})

    assert words(cart) == "2 × Bell 1 × Chime Total €64.50"
    assert "<html" not in cart.text


@pytest.mark.parametrize("data", [{}, {"quantity-bell": "0"}], ids=["none", "zero"])
def test_an_empty_cart_says_what_to_do(client, bell, data):
    assert words(client.get("/cart/", data)) == "Choose at least one thing to buy."


def test_a_cart_with_a_mistake_has_no_total(client, bell, chime):
    cart = client.get("/cart/", {"quantity-bell": "1", "quantity-chime": "x"})

    assert cart.status_code == 200
    assert f"Chime: {WHOLE}" in words(cart)
    assert "Total" not in words(cart)


def test_choosing_writes_nothing(client, bell, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get("/cart/", {"quantity-bell": "2"})


# --- the page -------------------------------------------------------------------------------------


def test_the_address_can_fill_the_cart(client, bell, chime):
    page = client.get("/?quantity-bell=2")

    assert page.status_code == 200
    fields = Inputs(page.text).fields
    assert (fields["quantity-bell"]["value"], fields["quantity-chime"]["value"]) == ("2", "0")
    assert "€25.00" in page.text


@pytest.mark.parametrize(
    "query", ["?quantity-bell=x", "?quantity-bell=-1", "?quantity-gone=1", "?x=%00", "?%ff"]
)
def test_an_odd_address_still_shows_the_shop(client, bell, query):
    assert client.get(f"/{query}").status_code == 200


def test_an_empty_shop_says_so(client):
    page = client.get("/")

    assert page.status_code == 200
    assert "Nothing is on sale just now." in page.text


def test_the_page_is_a_plain_form_that_needs_no_script(client, bell):
    """A browser without JavaScript finds a form to post, fields to type in and a button to send it with."""
    page = client.get("/").text

    [form] = re.findall(r'<form id="buy"[^>]*>', page)
    assert 'method="post"' in form
    assert 'action="/checkout/"' in form
    field = Inputs(page).fields["quantity-bell"]
    assert field["type"] == "number"
    assert "disabled" not in field
    [button] = re.findall(r'<button[^>]*id="buy-button"[^>]*>', page)
    assert "disabled" not in button
    assert "hidden" not in button
    assert 'type="button"' not in button


def test_what_was_typed_is_shown_as_text(client, bell):
    typed = "\"'<&>"
    page = client.post("/checkout/", {"quantity-bell": typed}).text

    assert escape(typed) in page.replace("&#39;", "&#x27;")


def test_the_page_may_not_be_kept_by_anybody(client, bell):
    assert "no-store" in client.get("/")["Cache-Control"]
