"""What every answer tells the browser beside its content, whoever gives it; and the cookies."""

import json
import os
import subprocess
import sys
from http.cookies import SimpleCookie
from typing import Any, cast

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.test import Client

from project.asgi import application
from tests import factories, stripe_events

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": " ".join(["'self'", *settings.STRIPE_CHECKOUT_ORIGINS]),
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
}
NOT_ALLOWED = ("camera", "microphone", "geolocation", "payment", "usb", "display-capture", "clipboard-read")
# Over plain HTTP, and where no other site may read along.
NEVER = ("strict-transport-security", "access-control-allow-origin", "content-security-policy-report-only")


async def ask(method, path, *, client=None, **how):
    """The answer to a browser at our door, with the cookies of a test client."""
    cookies = {name: morsel.value for name, morsel in client.cookies.items()} if client else {}
    door = httpx.ASGITransport(app=cast("Any", application))
    async with httpx.AsyncClient(transport=door, base_url="http://127.0.0.1", cookies=cookies) as browser:
        return await browser.request(method, path, **how)


def policy_of(headers):
    directives = headers["content-security-policy"].split("; ")
    return dict(directive.split(" ", 1) for directive in directives)


def assert_protected(answer):
    """Each header is there, once, and says just that."""
    for name, value in ALWAYS.items():
        assert answer.headers.get_list(name) == [value], (name, answer.status_code)
    assert len(answer.headers.get_list("content-security-policy")) == 1
    assert policy_of(answer.headers) == POLICY
    [permissions] = answer.headers.get_list("permissions-policy")
    assert {f"{feature}=()" for feature in NOT_ALLOWED} < set(permissions.split(", "))
    assert "=*" not in permissions
    assert [name for name in NEVER if name in answer.headers] == []


def is_not_kept(answer):
    return "no-store" in answer.headers["cache-control"]


# --- answers that need no database ---------------------------------------------------------------------

ANSWERS = {
    "a check of health": ("GET", "/healthz", 200, {}),
    "a missing page": ("GET", "/nothing/", 404, {}),
    "a path that lacks its slash": ("GET", "/orders", 301, {}),
    "a path with NUL": ("GET", "/%00", 404, {}),
    "a wrong host": ("GET", "/", 400, {"headers": {"host": "evil.example"}}),
    "a method that is not for it": ("GET", "/checkout/", 405, {}),
    "a form without a token": ("POST", "/checkout/", 403, {"data": {"quantity-bell": "1"}}),
    "a login": ("GET", "/accounts/login/", 200, {}),
    "a page that wants a login": ("GET", "/dashboard/", 302, {}),
    "a password to be reset": ("GET", "/accounts/password_reset/", 200, {}),
    "an unknown address of the API": ("GET", "/api/v1/nothing/", 404, {}),
    "the API's description": ("GET", "/api/schema/", 200, {}),
    "the API's documentation": ("GET", "/api/docs/", 200, {}),
    "the documentation's script": ("GET", "/api/docs/?script=", 200, {}),
    "a webhook that nobody signed": ("POST", "/stripe-webhook/", 400, {"content": "{}"}),
    "a form too large": ("POST", "/accounts/login/", 413, {"content": "x" * 1_500_000}),
    "a webhook too large": ("POST", "/stripe-webhook/", 413, {"content": "x" * 1_500_000}),
    "a webhook by GET": ("GET", "/stripe-webhook/", 405, {}),
    "a missing file": ("GET", "/static/none.js", 404, {}),
    "a file by POST": ("POST", "/static/live.js", 405, {}),
    "the admin's login": ("GET", "/admin/login/", 200, {}),
    "the admin without a login": ("GET", "/admin/", 302, {}),
}


@pytest.mark.parametrize(("method", "path", "status", "how"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_every_kind_of_answer_has_the_same_headers_and_is_not_kept(method, path, status, how):
    answer = await ask(method, path, **how)

    assert answer.status_code == status
    assert_protected(answer)
    assert is_not_kept(answer)


@pytest.mark.parametrize(
    "path", ["/static/live.js", "/static/pictures/shopbell.svg", "/static/admin/css/base.css"]
)
async def test_a_file_has_them_too_and_may_be_kept(path):
    answer = await ask("GET", path)
    again = await ask("GET", path, headers={"if-none-match": answer.headers["etag"]})

    assert (answer.status_code, again.status_code) == (200, 304)
    for found in (answer, again):
        assert_protected(found)
        assert found.headers["cache-control"] == "max-age=60, public"


# --- answers with a database ---------------------------------------------------------------------------

transactional = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada():
    return factories.visitor()


@transactional
async def test_what_is_a_shoppers_own_is_not_kept(ada):
    order = await sync_to_async(factories.order)(factories.shopper_of(ada))
    own = f"/orders/{order.public_id}/"

    for path in ("/", "/cart/?quantity-bell=1", "/orders/", own, f"/api/v1{own}", "/api/v1/orders/"):
        answer = await ask("GET", path, client=ada)
        assert answer.status_code == 200, path
        assert_protected(answer)
        assert is_not_kept(answer)


@transactional
async def test_what_is_staffs_is_not_kept(staff):
    order = await sync_to_async(factories.paid_order)()
    event = await sync_to_async(_delivered)()

    for path in (
        "/dashboard/",
        "/dashboard/export/",
        f"/dashboard/orders/{order.public_id}/",
        "/dashboard/webhooks/",
        f"/dashboard/webhooks/{event}/",
        "/admin/",
        "/admin/shop/order/",
        f"/admin/shop/order/{order.pk}/change/",
        "/admin/jsi18n/",
        "/accounts/password_change/",
    ):
        answer = await ask("GET", path, client=staff)
        assert answer.status_code == 200, path
        assert_protected(answer)
        assert is_not_kept(answer)


def _delivered() -> str:
    event = stripe_events.event("customer.created", {})
    body, headers = stripe_events.signed(event)
    Client().post("/stripe-webhook/", body, content_type="application/json", headers=headers)
    return str(event["id"])


@transactional
async def test_a_page_that_breaks_and_a_webhook_that_was_not_recorded_have_them_too():
    event = stripe_events.event("checkout.session.completed", {})
    body, headers = stripe_events.signed(event)
    await sync_to_async(_run)(
        "ALTER TABLE shop_product RENAME TO away; ALTER TABLE shop_stripeevent RENAME TO gone"
    )
    try:
        answers = [
            await ask("GET", "/"),
            await ask("POST", "/stripe-webhook/", content=body, headers=headers),
        ]
    finally:
        await sync_to_async(_run)(
            "ALTER TABLE away RENAME TO shop_product; ALTER TABLE gone RENAME TO shop_stripeevent"
        )

    for answer in answers:
        assert answer.status_code == 500
        assert_protected(answer)
        assert is_not_kept(answer)


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@transactional
async def test_a_link_with_a_token_tells_nobody_where_it_led_from():
    answer = await ask("GET", "/orders/link/some-token/")

    assert answer.status_code == 404
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert is_not_kept(answer)


# --- over HTTPS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def over_https(stack):
    """What a visit over HTTPS brought: {"headers": {path: {name: value}}, "cookies": [Set-Cookie, …]}."""
    env = {
        **os.environ,
        **stack.env,
        "PUBLIC_URL": "https://shop.example",
        "STRIPE_API_BASE": "https://api.stripe.com",
    }
    visit = subprocess.run(
        [sys.executable, "-m", "tests.visit_over_https"], env=env, capture_output=True, text=True, timeout=60
    )
    assert visit.returncode == 0, visit.stderr
    return json.loads(visit.stdout)


def test_over_https_every_answer_asks_for_https_ever_after(over_https):
    said = {path: headers.get("strict-transport-security") for path, headers in over_https["headers"].items()}
    plain = [said.pop(path) for path in list(said) if path.startswith("http://")]

    assert {"/", "/nothing/", "/static/live.js", "/static/none.js", "/stripe-webhook/"} < set(said)
    assert set(said.values()) == {"max-age=31536000; includeSubDomains; preload"}
    assert plain == [None, None]  # where anybody could have put it in


def test_a_form_may_lead_to_stripes_own_pages(over_https):
    assert policy_of(over_https["headers"]["/"])["form-action"] == "'self' https://checkout.stripe.com"


def test_over_https_no_cookie_can_be_read_by_a_script_or_set_by_another_host(over_https):
    names = set()
    for line in over_https["cookies"]:
        [(name, cookie)] = SimpleCookie(line).items()
        names.add(name)
        assert cookie["secure"], line
        if cookie["max-age"] == "0" or cookie["expires"].startswith("Thu, 01 Jan 1970"):
            continue  # taken away
        assert cookie["httponly"], line
        assert cookie["samesite"] == "Lax", line
        assert (cookie["path"], cookie["domain"]) == ("/", ""), line

    assert names == {f"__Host-{name}" for name in ("sessionid", "csrftoken", "guest", "messages")}


# --- the setting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["pay.example", "https://pay.example/", "https://a; script-src *", "*"])
def test_an_address_of_payment_pages_that_is_none_is_refused_at_the_start(origin):
    env = {**os.environ, "STRIPE_CHECKOUT_ORIGINS": origin}
    start = subprocess.run(
        [sys.executable, "-c", "import project.settings"], env=env, capture_output=True, text=True
    )

    assert start.returncode != 0
    assert "STRIPE_CHECKOUT_ORIGINS must look like" in start.stderr.splitlines()[-1]


def test_payment_pages_may_be_at_a_domain_of_ones_own():
    env = {**os.environ, "STRIPE_CHECKOUT_ORIGINS": "https://checkout.stripe.com,https://pay.example"}
    show = "from project.settings import CONTENT_SECURITY_POLICY as p; print(p['DIRECTIVES']['form-action'])"
    shown = subprocess.run([sys.executable, "-c", show], env=env, capture_output=True, text=True, check=True)

    assert shown.stdout == "[\"'self'\", 'https://checkout.stripe.com', 'https://pay.example']\n"
