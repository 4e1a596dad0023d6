"""How the API says no: problem details, the same way everywhere."""

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db

CHECKOUT, PRODUCTS = "/api/v1/checkout/", "/api/v1/products/"


def send(method, path, body=b"", content_type="application/json", **headers):
    return Client().generic(method, path, body, content_type=content_type, headers=headers)


PROBLEMS = {
    "broken JSON": (lambda: send("POST", CHECKOUT, '{"items": ['), 400, "JSON parse error"),
    "NaN": (lambda: send("POST", CHECKOUT, '{"items": NaN}'), 400, "JSON parse error"),
    "not UTF-8": (lambda: send("POST", CHECKOUT, b'{"items": "\xff"}'), 400, "JSON parse error"),
    "100,000 levels deep": (lambda: send("POST", CHECKOUT, "[" * 100_000), 400, "nested too deeply"),
    "a number without end": (lambda: send("POST", CHECKOUT, "1" * 100_000), 400, "JSON parse error"),
    "nowhere": (lambda: send("GET", "/api/v1/nowhere/"), 404, "Not found."),
    "a line break": (lambda: send("GET", "/api/v1/products/a%0Ab/"), 404, "Not found."),
    "the root": (lambda: send("GET", "/api/"), 404, "Not found."),
    "another version": (lambda: send("POST", "/api/v2/checkout/"), 404, "Not found."),
    "no order's id": (lambda: send("GET", "/api/v1/orders/1/"), 404, "Not found."),
    "a wrong method": (lambda: send("PUT", CHECKOUT), 405, 'Method "PUT" not allowed.'),
    "an unheard-of method": (lambda: send("BREW", PRODUCTS), 405, 'Method "BREW" not allowed.'),
    "a wrong method where there is a page": (lambda: send("POST", "/api/docs/"), 405, "not allowed."),
    "a bad token where there is YAML": (
        lambda: send("GET", "/api/schema/", authorization="Token x"),
        401,
        "Invalid token.",
    ),
    "no format that we have": (lambda: send("GET", PRODUCTS, accept="text/html"), 406, "Accept header"),
    "a form": (lambda: send("POST", CHECKOUT, "items=1", "application/x-www-form-urlencoded"), 415, "media"),
    "a file": (lambda: send("POST", CHECKOUT, "x", "multipart/form-data; boundary=x"), 415, "media type"),
    "too much": (lambda: send("POST", CHECKOUT, b" " * 1_000_001), 413, "too large"),
}


@pytest.mark.parametrize(("ask", "status", "says"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_what_goes_wrong_is_a_problem(ask, status, says):
    response = ask()

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    body = response.json()
    assert (body["type"], body["title"], body["status"]) == ("about:blank", response.reason_phrase, status)
    assert says in body["detail"]


@pytest.mark.parametrize("charset", ["utf-16", "punycode", "latin-1", "no-such"])
def test_json_is_utf_8_whatever_the_header_claims(charset):
    body = '{"items": [{"product": "none", "quantity": 1}]}'
    response = send("POST", CHECKOUT, body, f"application/json; charset={charset}")

    assert response.json()["items"] == [{"product": ["Not, or no longer, on sale."]}]


def test_a_refused_method_names_those_that_are_not():
    assert "POST" in send("GET", CHECKOUT)["Allow"]


def test_a_big_form_with_cookies_is_refused_as_well():
    """Looking for a CSRF token in it reads it."""
    client = Client(enforce_csrf_checks=True)
    client.get("/")
    response = client.post(
        CHECKOUT, b"x=" + b"1" * 1_000_001, content_type="application/x-www-form-urlencoded"
    )

    assert response.status_code in (403, 413, 415)
    assert response["Content-Type"] == "application/problem+json"


def test_an_address_without_its_slash_is_led_to_it(client):
    factories.product(slug="bell")

    response = client.get("/api/v1/products/bell", follow=True)
    assert response.redirect_chain == [("/api/v1/products/bell/", 301)]
    assert response.json()["slug"] == "bell"


def test_problems_outside_of_the_api_stay_pages(client):
    assert "<title>" in client.get("/nowhere/").text
