"""POST /api/v1/checkout/: the shop's own buying, with the local Stripe at the other end."""

import asyncio
import json
import signal
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import httpx
import pytest
from django.test import Client

from project.asgi import application
from shop.models import Order, PaymentStatus, Product
from tests import factories
from tests.buying import session_of

pytestmark = pytest.mark.django_db

CHECKOUT = "/api/v1/checkout/"
WHOLE = "Enter a whole number from 0 to 99."


@pytest.fixture(autouse=True)
def _with_stripe(stripe):
    """Every test here talks to it."""


@pytest.fixture
def bell():
    return factories.product(slug="bell", name="Bell", unit_amount=1250, stock=5)


def post(client, items, **fields):
    return client.post(CHECKOUT, {"items": items} | fields, content_type="application/json")


def buy(client, *cart):
    return post(client, [{"product": product.slug, "quantity": quantity} for product, quantity in cart])


def test_buying_gives_a_pending_order_and_stripes_page_for_it(stripe, client, bell):
    response = buy(client, (bell, 2))

    order = Order.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/orders/{order.public_id}/"
    body = response.json()
    assert body["checkout_url"] == stripe.page(session_of(stripe, order))
    assert body["order"]["public_id"] == str(order.public_id)
    assert body["order"]["payment_status"] == "pending"
    assert (body["order"]["amount_total"], body["order"]["currency"]) == (2500, "eur")
    assert body["order"]["amount_total_formatted"] == "€25.00"
    [line] = body["order"]["lines"]
    assert (line["product"], line["name"], line["quantity"], line["amount"]) == ("bell", "Bell", 2, 2500)
    bell.refresh_from_db()
    assert bell.held == 2


def test_who_pays_comes_back_to_the_public_address(stripe, client, bell, settings):
    settings.PUBLIC_URL = "https://shop.example"
    buy(client, (bell, 1))

    order = Order.objects.get()
    assert session_of(stripe, order).success_url.startswith(f"https://shop.example/orders/{order.public_id}/")


def test_a_newcomer_becomes_a_guest_who_can_see_her_order_and_buy_again(bell):
    client = Client(enforce_csrf_checks=True)
    bought = buy(client, (bell, 1))
    assert bought.status_code == 201
    assert Order.objects.get().guest_id == factories.shopper_of(client).guest_id

    assert client.get(bought["Location"]).status_code == 200
    again = client.post(
        CHECKOUT,
        {"items": [{"product": "bell", "quantity": 1}]},
        content_type="application/json",
        headers={"x-csrftoken": client.cookies["csrftoken"].value},
    )
    assert again.json()["order"]["public_id"] == bought.json()["order"]["public_id"]


def test_a_user_buys_for_her_account(client, bell):
    user = factories.user()
    client.force_login(user)
    buy(client, (bell, 1))

    order = Order.objects.get()
    assert (order.user, order.guest_id) == (user, None)


def test_a_price_or_currency_in_the_body_is_ignored_27(client, bell):
    free = {"unit_amount": 0, "price": 0, "amount": 1, "currency": "jpy"}
    response = post(client, [{"product": "bell", "quantity": 2} | free], amount_total=1, currency="jpy")

    assert response.status_code == 201
    order = Order.objects.get()
    assert (order.amount_total, order.currency) == (2500, "eur")


def test_an_orders_e_mails_are_in_the_callers_language(client, bell):
    items = {"items": [{"product": "bell", "quantity": 1}]}
    client.post(CHECKOUT, items, content_type="application/json", headers={"accept-language": "de-AT"})

    assert Order.objects.get().language == "de"


# --- once -----------------------------------------------------------------------------------------


def test_the_same_cart_again_is_the_same_order_and_session_30(client, bell):
    chime = factories.product(slug="chime")
    first = buy(client, (bell, 2), (chime, 1))
    second = buy(client, (chime, 1), (bell, 2))

    assert second.status_code == first.status_code == 201
    assert second.json() == first.json()
    assert Order.objects.count() == 1


def test_a_cart_of_the_page_and_the_same_of_the_api_are_one_order(client, bell):
    page = client.post("/checkout/", {"quantity-bell": "2"})
    assert buy(client, (bell, 2)).json()["checkout_url"] == page["Location"]


def test_an_order_that_turns_out_to_be_paid_has_no_page_to_pay_on(stripe, client, bell):
    buy(client, (bell, 1))
    stripe.pay(session_of(stripe, Order.objects.get()))

    response = buy(client, (bell, 1))

    assert response.status_code == 200
    assert response.json()["checkout_url"] is None
    assert response.json()["order"]["payment_status"] == "paid"
    assert Order.objects.get().payment_status == PaymentStatus.PAID


# --- what cannot be bought ------------------------------------------------------------------------


@pytest.mark.parametrize(("stock", "says"), [(0, "Sold out just now."), (1, "Only 1 left just now.")])
def test_what_is_sold_out_is_a_conflict_that_says_what_is_left_28(client, stock, says):
    factories.product(slug="rare", stock=stock)

    response = post(client, [{"product": "rare", "quantity": 2}])

    assert (response.status_code, response["Content-Type"]) == (409, "application/problem+json")
    assert response.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": says,
        "product": "rare",
        "available": stock,
    }
    assert not Order.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_ten_buyers_at_once_of_the_last_unit_29(at_once):
    last = factories.product(stock=1)

    responses = at_once([partial(buy, Client(), (last, 1)) for _ in range(10)])

    assert sorted(response.status_code for response in responses) == [201] + [409] * 9


@pytest.mark.parametrize("slug", ["nothing", "off-sale"])
def test_what_is_not_on_sale_is_said_at_its_item_28(client, bell, slug):
    factories.product(slug="off-sale", active=False)

    response = post(client, [{"product": "bell", "quantity": 1}, {"product": slug, "quantity": 1}])

    assert response.status_code == 400
    assert response.json()["items"] == [{}, {"product": ["Not, or no longer, on sale."]}]
    assert not Order.objects.exists()


NOT_QUANTITIES = {
    "-1": "-1",
    "1e9": "1e9",
    "a fraction": "1.5",
    "1.0": "1.0",
    "a string": '"2"',
    "a full-width one": '"１"',
    "empty": '""',
    "true": "true",
    "a list": "[1]",
    "an object": '{"quantity": 1}',
    "infinity": "1e999",
    "four thousand digits": "9" * 4000,
    "a surrogate": '"\\ud800"',
    "NUL": '"\\u0000"',
}


@pytest.mark.parametrize("sent", NOT_QUANTITIES.values(), ids=NOT_QUANTITIES.keys())
def test_what_is_no_quantity_is_said_at_its_item_26(client, bell, sent):
    chime = factories.product(slug="chime")
    items = f'[{{"product": "{chime.slug}", "quantity": 1}}, {{"product": "bell", "quantity": {sent}}}]'

    response = client.post(CHECKOUT, f'{{"items": {items}}}', content_type="application/json")

    assert response.status_code == 400
    assert response.json()["items"] == [{}, {"quantity": [WHOLE]}]
    assert not Order.objects.exists()
    assert not Product.objects.exclude(held=0).exists()


def test_the_cart_forms_other_rules_hold_as_well_26(client, bell):
    factories.product(slug="gong", currency="jpy")
    rules = {
        "At most 99 of each in one order.": [{"product": "bell", "quantity": 100}],
        "Choose at least one thing to buy.": [{"product": "bell", "quantity": 0}],
        "These are sold in different currencies: buy them one after the other.": [
            {"product": "bell", "quantity": 1},
            {"product": "gong", "quantity": 1},
        ],
        "Listed twice: one item for each product.": [{"product": "bell", "quantity": 1}] * 2,
    }
    for rule, items in rules.items():
        response = post(client, items)
        assert (response.status_code, rule in response.text) == (400, True), rule
    assert "Choose at least one thing to buy." in post(client, []).json()["non_field_errors"]
    assert not Order.objects.exists()


NOT_CARTS = {
    "nothing": {},
    "no list": {"items": "bell"},
    "null": {"items": None},
    "no items": {"items": [1, "bell", None]},
    "no quantity": {"items": [{"product": "bell"}]},
    "no product": {"items": [{"quantity": 1}]},
    "a slug that is none": {"items": [{"product": "bell'; --", "quantity": 1}]},
    "a surrogate": {"items": [{"product": "\ud800", "quantity": 1}]},
    "NUL": {"items": [{"product": "bell\0", "quantity": 1}]},
    "a list": [],
    "a number": 1,
}


@pytest.mark.parametrize("cart", NOT_CARTS.values(), ids=NOT_CARTS.keys())
def test_what_is_no_cart_is_refused(client, bell, cart):
    response = client.post(CHECKOUT, json.dumps(cart), content_type="application/json")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert not Order.objects.exists()


# --- Stripe away ----------------------------------------------------------------------------------


def test_without_stripe_the_order_is_kept_and_the_next_try_is_the_same_order_39(
    stripe, client, bell, settings
):
    address, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:1"
    response = buy(client, (bell, 2))

    order = Order.objects.get()
    assert (response.status_code, response["Content-Type"]) == (503, "application/problem+json")
    assert int(response["Retry-After"]) > 0
    assert response.json()["order"] == str(order.public_id)
    assert order.payment_status == PaymentStatus.PENDING

    settings.STRIPE_API_BASE = address
    again = buy(client, (bell, 2))
    assert again.status_code == 201
    assert again.json()["order"]["public_id"] == str(order.public_id)


def test_a_cart_has_an_end_38(client, bell):
    response = post(client, [{"product": "bell", "quantity": 1}] * 501)

    assert response.status_code == 400
    assert "no more than 500" in response.text


@pytest.mark.django_db(transaction=True)
async def test_however_many_wait_for_a_silent_stripe_the_shop_is_open_for_others_39(
    stripe, bell, monkeypatch
):
    """More than the pool has connections, through the real door."""
    for where in ("shop.checkout", "shop.stripe_client"):  # on a slow machine it takes long until all wait
        monkeypatch.setattr(f"{where}.TIME_LIMIT", 60)
    await Product.objects.aupdate(stock=None)
    cart = {"items": [{"product": "bell", "quantity": 1}]}
    door = httpx.ASGITransport(cast("Any", application))
    async with httpx.AsyncClient(transport=door, base_url="http://127.0.0.1", timeout=60) as caller:
        with silent(stripe):
            buyers = [asyncio.create_task(caller.post(CHECKOUT, json=cart)) for _ in range(25)]
            while not any(one.done() for one in buyers) and await Order.objects.acount() < 25:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

            assert (await caller.get("/")).status_code == 200
            assert not any(buyer.done() for buyer in buyers)
        answers = await asyncio.gather(*buyers)

    assert {answer.status_code for answer in answers} == {201}


@contextmanager
def silent(stripe):
    """It takes every call, and answers none until the end of the block."""
    stripe.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        stripe.process.send_signal(signal.SIGCONT)
