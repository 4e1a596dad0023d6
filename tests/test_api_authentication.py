"""Who may call the API: tokens, and cookies that no other site can use."""

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from shop.models import Order
from tests import factories

pytestmark = pytest.mark.django_db

TOKEN, ORDERS, CHECKOUT = "/api/v1/token/", "/api/v1/orders/", "/api/v1/checkout/"


@pytest.fixture
def user():
    return factories.user(username="ada", password=PASSWORD)


PASSWORD = "correct horse"


def ask_for_token(client, password=PASSWORD):
    data = {"username": "ada", "password": password}
    return client.post(TOKEN, data, content_type="application/json")


def with_token(token, **options):
    return Client(headers={"authorization": f"Token {token}"}, **options)


@pytest.fixture
def token(user, client):
    return ask_for_token(client).json()["token"]


# --- tokens ---------------------------------------------------------------------------------------


def test_a_token_calls_for_its_user(user, token):
    order = factories.order()
    order.hand_over(user.pk)

    [listed] = with_token(token).get(ORDERS).json()["results"]
    assert listed["public_id"] == str(order.public_id)


def test_a_token_buys_for_its_user_without_cookies(stripe, user, token):
    bell = factories.product()
    client = with_token(token, enforce_csrf_checks=True)
    bought = client.post(
        CHECKOUT, {"items": [{"product": bell.slug, "quantity": 1}]}, content_type="application/json"
    )

    assert bought.status_code == 201
    assert Order.objects.get().user == user
    assert not client.cookies


def test_an_account_has_one_token_for_all_its_callers(token, client):
    assert ask_for_token(client).json()["token"] == token


def test_who_reads_the_database_has_no_token(token):
    row = Token.objects.get()

    assert token != row.key
    assert token not in str(row.__dict__)
    assert with_token(row.key).get(ORDERS).status_code == 401


def test_a_revoked_token_is_none(token, client):
    assert with_token(token).delete(TOKEN).status_code == 204
    assert with_token(token).get(ORDERS).status_code == 401

    renewed = ask_for_token(client).json()["token"]
    assert renewed != token
    assert with_token(renewed).get(ORDERS).status_code == 200


def test_a_new_password_ends_the_token(user, token):
    user.set_password("battery staple")
    user.save()

    assert with_token(token).get(ORDERS).status_code == 401


def test_an_account_that_was_closed_calls_nothing(user, token):
    user.is_active = False
    user.save()

    assert with_token(token).get(ORDERS).status_code == 401


def test_wrong_credentials_are_refused_without_saying_which(user, client):
    wrong_password = ask_for_token(client, "wrong")
    user.delete()
    no_such_user = ask_for_token(client)

    assert wrong_password.status_code == no_such_user.status_code == 400
    assert wrong_password.json() == no_such_user.json()
    assert wrong_password.json()["non_field_errors"] == ["Unable to log in with provided credentials."]


HEADERS = {
    "no token": "Token",
    "two": "Token a b",
    "unknown": "Token " + "a" * 40,
    "NUL": "Token a\0b",
    "not UTF-8": "Token \xff",
    "the key with another signature": "Token {key}.{key}",
    "the key with a dot": "Token {key}.",
    "only the signature": "Token .{signature}",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("address", [ORDERS, "/api/v1/products/"])
def test_a_token_that_is_none_is_refused_everywhere(token, header, address):
    key, signature = token.split(".")
    response = Client().get(
        address, HTTP_AUTHORIZATION=header.replace("{key}", key).replace("{signature}", signature)
    )

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"


def test_revoking_takes_a_caller(client):
    assert client.delete(TOKEN).status_code == 401


def test_a_guest_has_no_token_to_revoke():
    client = Client()
    client.get("/")
    assert client.delete(TOKEN).status_code == 401


# --- cookies --------------------------------------------------------------------------------------


@pytest.fixture(params=["a guest", "a user"])
def browser(request):
    """With the shop's cookies, and CSRF as in production."""
    client = Client(enforce_csrf_checks=True)
    if request.param == "a user":
        client.force_login(factories.user())
    client.get("/")
    return client


def buy(client, **headers):
    data = {"items": [{"product": "bell", "quantity": 1}]}
    return client.post(CHECKOUT, data, content_type="application/json", headers=headers)


def test_cookies_alone_do_not_buy_31(browser):
    factories.product(slug="bell")

    response = buy(browser)

    assert (response.status_code, response["Content-Type"]) == (403, "application/problem+json")
    assert response.json()["detail"].startswith("CSRF Failed:")
    assert not Order.objects.exists()


def test_another_site_does_not_buy_with_her_cookies_even_if_it_knew_the_token_31(browser):
    factories.product(slug="bell")
    token = browser.cookies["csrftoken"].value

    for origin in ("https://evil.example", "null"):
        assert buy(browser, origin=origin, **{"x-csrftoken": token}).status_code == 403
    assert not Order.objects.exists()


def test_our_own_pages_buy(stripe, browser):
    factories.product(slug="bell")
    token = browser.cookies["csrftoken"].value

    assert buy(browser, origin="http://testserver", **{"x-csrftoken": token}).status_code == 201


def test_cookies_alone_do_not_revoke_a_token_31(user, token):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)

    assert client.delete(TOKEN).status_code == 403
    assert with_token(token).get(ORDERS).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_foreign_form_can_send_is_not_even_read_31(content_type):
    """A form on another site sends no guest cookie (SameSite), and cannot say application/json."""
    factories.product(slug="bell")
    body = '{"items": [{"product": "bell", "quantity": 1}]}'

    response = Client(enforce_csrf_checks=True).post(CHECKOUT, body, content_type=content_type)
    assert response.status_code in (400, 415)
    assert not Order.objects.exists()


def test_no_other_site_is_told_anything_by_cors(browser):
    for method in (browser.get, browser.options):
        response = method(ORDERS, headers={"origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in response
