"""Requests that no browser of ours would send: foreign forms, wrong hosts, broken paths, floods of fields."""

import re

import httpx
import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.test import AsyncClient, Client

from project.asgi import application
from shop.models import Order
from tests import factories
from tests.local_stripe import eventually

pytestmark = pytest.mark.django_db

FORMS = [
    "/checkout/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/logout/",
    "/accounts/password_reset/",
]


@pytest.fixture
def browser():
    """With CSRF as it is in production."""
    return Client(enforce_csrf_checks=True)


def token_on(page):
    return re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[0]


def assert_says_what_to_do(response):
    assert response.status_code == 403
    assert "send it once more" in response.text
    assert "Shopbell</title>" in response.text


@pytest.mark.parametrize("form", FORMS)
def test_a_form_without_a_token_is_refused_with_advice_31(browser, form):
    assert_says_what_to_do(browser.post(form, {"quantity-bell": "1"}))


@pytest.mark.parametrize("token", ["", "x", "é", "a" * 32, "a" * 64])
def test_a_form_with_a_token_that_is_not_ours_is_refused_31(browser, token):
    browser.get("/accounts/login/")
    assert_says_what_to_do(browser.post("/checkout/", {"csrfmiddlewaretoken": token}))


def test_a_form_of_another_site_is_refused_31(browser):
    bell = factories.product()
    token = token_on(browser.get("/"))
    data = {"csrfmiddlewaretoken": token, f"quantity-{bell.slug}": "1"}

    assert_says_what_to_do(browser.post("/checkout/", data, headers={"origin": "https://evil.example"}))
    assert_says_what_to_do(browser.post("/checkout/", data, headers={"origin": "null"}))
    assert not Order.objects.exists()


def test_our_own_form_is_taken(browser, stripe):
    bell = factories.product()
    token = token_on(browser.get("/"))
    data = {"csrfmiddlewaretoken": token, f"quantity-{bell.slug}": "1"}

    assert browser.post("/checkout/", data, headers={"origin": "http://testserver"}).status_code == 303


@pytest.mark.parametrize("action", ["pay", "check"])
def test_an_orders_buttons_want_a_token_too_31(browser, action):
    browser.get("/")
    order = factories.order(factories.shopper_of(browser))

    assert_says_what_to_do(browser.post(f"/orders/{order.public_id}/{action}/"))


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "127.0.0.1.evil.example", "a b", ""]
)
def test_a_wrong_host_is_refused_35(client, host):
    response = client.get("/orders/", headers={"host": host})

    assert response.status_code == 400
    assert "Traceback" not in response.text
    assert "evil" not in response.text


PATHS = [
    "/%00",
    "/%ff",
    "/orders/%00/",
    "/orders/%ff/",
    "/%c3%28",
    "/..%2f..%2fetc",
]


@pytest.mark.parametrize("path", PATHS)
async def test_a_broken_path_is_not_there_36(path):
    for response in (Client().get(path), await AsyncClient().get(path)):
        assert response.status_code in (400, 404)
        assert b"Traceback" not in response.content


PAGES = [
    "/",
    "/cart/",
    "/checkout/",
    "/orders/",
    "/orders/find/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password_reset/",
    "/dashboard/",
    "/dashboard/webhooks/",
    "/dashboard/export/",
    "/api/v1/token/",
    "/api/v1/checkout/",
    "/admin/shop/order/",
    "/metrics",
]
TOKEN = "t" * 32
NAMES = "page from after status q least currency email username password password1 password2 next seen step"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("member", ["a guest", "staff"])
@pytest.mark.parametrize(
    "text", ["a%00b", "%ED%A0%80", "%FF", "9" * 400], ids=["NUL", "half", "byte", "long"]
)
async def test_text_that_the_database_would_not_take_is_no_error_of_ours(member, text):
    """Through the door, because that is where NUL in a query is refused."""
    browser = await sync_to_async(Client)()
    if member == "staff":
        await sync_to_async(lambda: browser.force_login(factories.staff()))()
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    bell = await sync_to_async(factories.product)()
    fields = "&".join(f"{name}={text}" for name in [*NAMES.split(), f"quantity-{bell.slug}"])

    for path in PAGES:
        for method, query, body in (("GET", fields, ""), ("POST", "", fields)):
            assert await status_of(method, path, query, body, cookies) < 500, (method, path)


@pytest.mark.parametrize("text", [r"a\u0000b", r"\ud800", "9" * 400], ids=["NUL", "half", "long"])
@pytest.mark.parametrize("path", ["/api/v1/checkout/", "/api/v1/token/"])
def test_json_that_the_database_would_not_take_is_no_error_of_ours(client, path, text):
    line = f'{{"product": "{text}", "quantity": "{text}"}}'
    body = f'{{"lines": [{line}], "items": [{line}], "username": "{text}", "password": "{text}"}}'

    assert 400 <= client.post(path, body, content_type="application/json").status_code < 500


async def status_of(method: str, path: str, query: str, body: str, cookies: str) -> int:
    """What a request by ASGI is answered with."""
    headers = {
        b"host": b"testserver",
        b"cookie": f"{cookies}; csrftoken={TOKEN}".encode(),
        b"x-csrftoken": TOKEN.encode(),
        b"content-type": b"application/x-www-form-urlencoded",
    }
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    door = ApplicationCommunicator(application, {**scope, "headers": list(headers.items())})
    await door.send_input({"type": "http.request", "body": body.encode()})
    status: int = (await door.receive_output(30))["status"]
    while (await door.receive_output(30)).get("more_body"):
        pass
    await door.wait(30)
    return status


@pytest.mark.parametrize("form", ["/checkout/", "/accounts/login/"])
def test_two_thousand_fields_are_too_many_38(client, form):
    response = client.post(form, {f"quantity-{number}": "1" for number in range(2000)})

    assert response.status_code == 400
    assert not Order.objects.exists()


@pytest.mark.parametrize("form", ["/checkout/", "/accounts/login/"])
def test_ten_megabytes_of_form_are_too_much_38(stack, form):
    """Refused before Django, token or not."""
    with httpx.Client(base_url=stack.url, trust_env=False) as browser:
        browser.get("/accounts/login/")
        for token in (browser.cookies["csrftoken"], ""):
            fields = {"csrfmiddlewaretoken": token, "quantity-bicycle-bell": "1" * 10_000_000}

            assert browser.post(form, data=fields).status_code == 413


def test_a_file_is_not_kept(client, tmp_path, settings):
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    bell = factories.product()
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    with (tmp_path / "large").open("rb") as file:
        response = client.post("/checkout/", {f"quantity-{bell.slug}": file})

    assert response.status_code == 422
    assert [path.name for path in tmp_path.iterdir()] == ["large"]


ODD_COOKIES = {
    "a guest that nobody signed": {"guest": "00000000000000000000000000000000"},
    "a guest with a bad signature": {"guest": "00000000000000000000000000000000:1:x"},
    "no guest at all": {"guest": ":::"},
    "an unknown session": {"sessionid": "x" * 32},
    "a session of one letter": {"sessionid": "x"},
    "a session with NUL": {"sessionid": "abcdefgh\0ijkl"},
    "a session in other letters": {"sessionid": "\xe9" * 32},
    "cookies with NUL": {"guest": "\0:\0:\0", "csrftoken": "\0" * 32, "messages": "\0" * 32},
}


@pytest.mark.parametrize("cookies", ODD_COOKIES.values(), ids=ODD_COOKIES.keys())
def test_an_odd_cookie_makes_a_newcomer(client, cookies):
    for name, value in cookies.items():
        client.cookies[name] = value
    response = client.get("/")

    assert response.status_code == 200
    assert factories.shopper_of(client).guest_id is not None


def test_the_guest_cookie_is_signed_long_lived_and_out_of_reach_of_scripts(client):
    client.get("/")
    cookie = client.cookies["guest"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 365 * 24 * 3600
    assert factories.shopper_of(client).guest_id is not None


def test_the_web_servers_own_log_shows_no_token_of_a_link(stack):
    """Daphne's lines do not come through Django's logging."""
    for path in ("/orders/link/some-token/", "/accounts/reset/nobody/some-token/"):
        httpx.get(stack.url + path, trust_env=False)

    eventually(lambda: "/accounts/reset/nobody/…" in stack.daphne.log.read_text(), seconds=10)
    said = stack.daphne.log.read_text()
    assert "/orders/link/…" in said
    assert "some-token" not in said
