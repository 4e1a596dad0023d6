"""Whose word counts for a client's address and scheme: proxies that are named, and nobody else."""

import os
import re
import subprocess
import sys
from ipaddress import ip_network
from typing import Any, cast

import httpx
import pytest
from django.test import Client

from project.asgi import application
from project.proxies import FORWARDED, from_client
from shop.models import Order
from shop.shoppers import Shopper
from tests import factories
from tests.worker import work

NGINX, CLIENT, OTHER = "192.0.2.1", "198.51.100.7", "198.51.100.8"


@pytest.fixture(autouse=True)
def _one_proxy(settings):
    settings.TRUSTED_PROXIES = [ip_network(NGINX), ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def seen(peer=NGINX, /, *headers, kind="http"):
    """The scope as the shop sees it, of a request from that address with these headers."""
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    scheme = {"http": "http", "websocket": "ws"}[kind]
    client = [peer, 40000] if peer else None
    return from_client(
        {"type": kind, "scheme": scheme, "client": client, "headers": encoded, "root_path": ""}
    )


def address_of(scope):
    return scope["client"][0]


# --- the client's address ---------------------------------------------------------------------------

CHAINS = {
    "the proxy's own word": ("198.51.100.7", CLIENT),
    "what the client said before it": ("203.0.113.1, 127.0.0.1, 198.51.100.7", CLIENT),
    "a second proxy of ours": ("203.0.113.1, 198.51.100.7, 10.1.2.3", CLIENT),
    "only proxies of ours": ("10.1.2.3, 192.0.2.1", "10.1.2.3"),
    "IPv6": ("2001:db8::7, fd00::1", "2001:db8::7"),
    "IPv4 in IPv6": ("::ffff:198.51.100.7, ::ffff:10.1.2.3", CLIENT),
    "nonsense": ("198.51.100.7, <script>", NGINX),
    "nonsense that a client said": ("<script>, 198.51.100.7", CLIENT),
    "nonsense behind a proxy": ("unknown, 10.1.2.3", "10.1.2.3"),
    "nothing": ("", NGINX),
    "commas": (",,, ,198.51.100.7,", CLIENT),
    "a thousand": (", ".join(["203.0.113.1"] * 1000 + [CLIENT]), CLIENT),
}


@pytest.mark.parametrize(("chain", "client"), CHAINS.values(), ids=CHAINS.keys())
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_named_proxy_says_who_the_client_is(chain, client, kind):
    assert address_of(seen(NGINX, ("x-forwarded-for", chain), kind=kind)) == client


def test_headers_of_one_name_are_one_chain():
    scope = seen(NGINX, ("x-forwarded-for", OTHER), ("X-FORWARDED-FOR", CLIENT))

    assert address_of(scope) == CLIENT


@pytest.mark.parametrize("peer", [OTHER, "127.0.0.1", "192.0.2.2", "2001:db8::1"])
def test_nobody_else_does(peer):
    scope = seen(peer, ("x-forwarded-for", CLIENT), ("x-forwarded-proto", "https"))

    assert (address_of(scope), scope["scheme"]) == (peer, "http")


def test_without_a_setting_nobody_does_not_even_this_machine(settings):
    settings.TRUSTED_PROXIES = []

    for peer in ("127.0.0.1", "::1", NGINX):
        assert address_of(seen(peer, ("x-forwarded-for", CLIENT))) == peer
    assert seen("", ("x-forwarded-for", CLIENT))["client"] is None


@pytest.mark.parametrize(("peer", "trusted"), [("::ffff:192.0.2.1", True), ("::ffff:192.0.2.9", False)])
def test_a_proxy_may_come_by_ipv6(peer, trusted):
    assert address_of(seen(peer, ("x-forwarded-for", CLIENT))) == (CLIENT if trusted else peer)


def test_who_comes_by_a_unix_socket_is_believed_if_that_is_said(settings):
    forwarded = ("x-forwarded-for", CLIENT)
    assert seen("", forwarded)["client"] is None

    settings.TRUSTED_PROXIES = ["unix"]
    assert address_of(seen("", forwarded)) == CLIENT
    assert address_of(seen("127.0.0.1", forwarded)) == "127.0.0.1"


# --- the scheme -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "scheme"),
    [
        ("https", "https"),
        ("http", "http"),
        ("http, https", "https"),
        ("https, http", "http"),
        ("ftp", "http"),
    ],
)
def test_a_named_proxy_says_whether_it_was_https(said, scheme):
    assert seen(NGINX, ("x-forwarded-proto", said))["scheme"] == scheme
    assert seen(NGINX, ("x-forwarded-proto", said), kind="websocket")["scheme"] == scheme.replace(
        "http", "ws"
    )


# --- what is left of the headers ---------------------------------------------------------------------

BELIEVED_SOMEWHERE = [
    "X-Forwarded-For",
    "x-forwarded-proto",
    "X-FORWARDED-HOST",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-Scheme",
    "X-Forwarded-Ssl",
    "X_Forwarded_For",
    "Forwarded",
    "X-Real-IP",
    "x_real_ip",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Front-End-Https",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Script-Name",
    "Script-Name",
    "Daphne-Root-Path",
]


@pytest.mark.parametrize("peer", [NGINX, OTHER, ""])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_nothing_further_in_can_believe_what_anybody_forwarded(peer, kind):
    sent = [(name, "evil.example") for name in BELIEVED_SOMEWHERE]
    scope = seen(peer, ("host", "shop.example"), *sent, ("cookie", "a=b"), kind=kind)

    assert scope["headers"] == [(b"host", b"shop.example"), (b"cookie", b"a=b")]


def test_we_live_at_the_root_whatever_the_server_believed():
    scope = {
        "type": "http",
        "client": [NGINX, 1],
        "headers": [],
        "scheme": "http",
        "root_path": "//evil.example",
    }

    assert from_client(scope)["root_path"] == ""


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
def test_it_is_known_that_somebody_handed_the_request_on(header):
    assert seen(OTHER, (header, "1.1 nginx"))[FORWARDED]
    assert not seen(OTHER, ("host", "shop.example"))[FORWARDED]


# --- through the front door --------------------------------------------------------------------------


async def ask(path, peer=NGINX, **headers):
    door = httpx.ASGITransport(cast("Any", application), client=(peer, 40000))
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=door, base_url="http://127.0.0.1") as caller:
        return await caller.get(path, headers=headers)


@pytest.mark.parametrize(
    "header", ["x_forwarded_for", "x_forwarded_proto", "x_forwarded_host", "x_real_ip", "forwarded", "via"]
)
async def test_metrics_are_not_for_what_came_through_a_proxy_of_this_machine(header):
    assert (await ask("/metrics", peer="127.0.0.1", **{header: "127.0.0.1"})).status_code == 404


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_real_ip"])
async def test_a_caller_cannot_say_that_she_may_read_metrics(header):
    assert (await ask("/metrics", peer=OTHER, **{header: "127.0.0.1"})).status_code == 404


async def test_metrics_are_not_for_who_is_named_127_0_0_1_by_a_proxy_that_we_believe():
    assert (await ask("/metrics", x_forwarded_for="127.0.0.1")).status_code == 404


def test_a_wrong_setting_stops_the_start():
    start = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=os.environ | {"TRUSTED_PROXIES": "127.0.0.1,nginx"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert start.returncode != 0
    assert "'nginx' does not appear to be an IPv4 or IPv6 network" in start.stderr


# --- the running shop ---------------------------------------------------------------------------------

HTTPS = {"PUBLIC_URL": "https://shop.example", "EXTRA_HOSTS": "127.0.0.1"}
EVIL = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "//evil.example",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X-Script-Name": "//evil.example",
    "Daphne-Root-Path": "//evil.example",
    "Forwarded": "host=evil.example;proto=https;for=127.0.0.1",
}


def test_behind_a_proxy_that_is_named_the_shop_is_https_and_beside_it_it_is_not(stack):
    with stack.another_web(**HTTPS, TRUSTED_PROXIES="127.0.0.1") as web, _browser(web) as browser:
        there = browser.get("/accounts/login/", headers=EVIL | {"X-Forwarded-Proto": "https"})
        assert there.status_code == 200
        assert "max-age" in there.headers["strict-transport-security"]
        assert "evil" not in there.text

        sent_away = browser.get("/accounts/login/?a=b", headers=EVIL)
        assert (sent_away.status_code, sent_away.headers["location"]) == (
            301,
            "https://shop.example/accounts/login/?a=b",
        )
    with stack.another_web(**HTTPS) as web, _browser(web) as browser:
        assert browser.get("/accounts/login/", headers={"X-Forwarded-Proto": "https"}).status_code == 301


def test_limits_count_the_clients_of_a_proxy_and_not_the_proxy(stack):
    with stack.another_web(TRUSTED_PROXIES="127.0.0.1", SIGNUP_RATE="1/hour") as web:
        assert [_sign_up(web, f"203.0.113.99, {client}") for client in (CLIENT, CLIENT, OTHER)] == [
            422,
            429,
            422,
        ]
    with stack.another_web(SIGNUP_RATE="1/hour") as web:
        assert [_sign_up(web, client) for client in ("198.51.100.20", "198.51.100.21")] == [422, 429]


def _browser(web):
    return httpx.Client(base_url=web, trust_env=False, timeout=30)


def _sign_up(web, forwarded_for):
    with _browser(web) as browser:
        browser.headers["X-Forwarded-For"] = forwarded_for
        browser.get("/accounts/signup/")
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        return browser.post("/accounts/signup/", data=token).status_code


# --- addresses that leave the shop ------------------------------------------------------------------

FORGED = {"host": "10.0.0.5", **{name.lower(): value for name, value in EVIL.items()}}


@pytest.fixture
def shop_example(settings):
    """An address may be asked by its number, for health checks; no link leads there."""
    settings.PUBLIC_URL, settings.SITE_ORIGINS = "https://shop.example", ["https://shop.example"]
    settings.ALLOWED_HOSTS = ["shop.example", "10.0.0.5"]


@pytest.mark.django_db(transaction=True)
def test_the_link_to_a_new_password_leads_to_the_shop_whoever_asked_for_it(shop_example, mailoutbox):
    factories.user(email="ada@example.com")
    Client(headers=FORGED).post("/accounts/password_reset/", {"email": "ada@example.com"})
    work()

    [letter] = mailoutbox
    assert re.findall(r"https?://[^/\s)]+", letter.body) == ["https://shop.example"] * 2
    assert "10.0.0.5" not in letter.body
    assert "evil" not in letter.body


@pytest.mark.django_db
def test_stripe_sends_shoppers_back_to_the_shop_wherever_they_said_they_were(shop_example, stripe, bell):
    form = {f"quantity-{bell.slug}": 1}
    api = {"items": [{"product": bell.slug, "quantity": 1}]}
    Client(headers=FORGED).post("/checkout/", form)
    Client(headers=FORGED).post("/api/v1/checkout/", api, content_type="application/json")

    orders = Order.objects.all()
    assert len(orders) == 2
    for order in orders:
        session = stripe.client().v1.checkout.sessions.retrieve(order.stripe_session_id)
        for address in (session.success_url, session.cancel_url):
            assert address.startswith("https://shop.example/")
            assert "evil" not in address


@pytest.mark.django_db
def test_the_apis_links_lead_to_the_shop(shop_example):
    client = Client(headers=FORGED)
    client.force_login(ada := factories.user())
    for _ in range(21):
        factories.order(Shopper(user_id=ada.pk))

    page = client.get("/api/v1/orders/").json()
    assert page["next"].startswith("https://shop.example/api/v1/orders/?cursor=")
    assert client.get(page["next"]).json()["previous"].startswith("https://shop.example/api/v1/orders/?")
    [product, *_] = client.get("/api/v1/products/").json()
    assert "10.0.0.5" not in str(product)
    assert "10.0.0.5" not in client.get("/api/schema/").text
    assert "10.0.0.5" not in client.get("/api/docs/").text


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/accounts/login/?next=//evil.example", "/orders/find/", "/nowhere/"])
def test_no_page_repeats_where_it_was_asked_for(shop_example, path):
    page = Client(headers=FORGED).get(path)

    assert "10.0.0.5" not in page.text
    assert not re.search(r"(href|action|src)=\"[^\"]*evil", page.text)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/orders", "/orders/find", "/dashboard/", "/admin/"])
def test_no_redirect_leads_there(shop_example, path):
    location = Client(headers=FORGED).get(path).headers.get("location", "/")

    assert re.match(r"/(?!/)", location)
