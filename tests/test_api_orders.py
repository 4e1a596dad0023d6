"""GET /api/v1/orders/: the caller's own, newest first, and nobody else's."""

import uuid
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from django.test import Client

from shop.models import Order, Source
from shop.models.links import OrderGrant
from tests import factories, stripe_events

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shopper_is_here")]

ORDERS = "/api/v1/orders/"


def logged_in(user=None):
    return factories.browser_of(user or factories.user())


def placed(client, count=1):
    """So many orders of hers, the oldest first."""
    bell = factories.product(stock=None)
    return [factories.order(factories.shopper_of(client), (bell, number + 1)) for number in range(count)]


def listed(response):
    return [order["public_id"] for order in response.json()["results"]]


def test_a_guest_finds_her_orders_newest_first(shopper):
    orders = placed(shopper, 3)

    response = shopper.get(ORDERS)

    assert response.status_code == 200
    assert listed(response) == [str(order.public_id) for order in reversed(orders)]
    newest = response.json()["results"][0]
    assert newest["payment_status"] == "pending"
    assert newest["fulfilment_status"] == "unfulfilled"
    assert (newest["amount_total"], newest["amount_total_formatted"]) == (3750, "€37.50")
    assert newest["lines"][0]["quantity"] == 3
    assert "timeline" not in newest


def test_a_user_finds_the_orders_of_her_account():
    user = factories.user()
    order = factories.order()
    order.hand_over(user.pk)
    factories.order()

    assert listed(logged_in(user).get(ORDERS)) == [str(order.public_id)]


def test_long_lists_come_in_pages_that_neither_skip_nor_repeat(shopper):
    orders = [str(order.public_id) for order in placed(shopper, 45)]
    Order.objects.update(placed_at=Order.objects.latest("pk").placed_at)  # ties, as of one transaction

    seen, address = [], ORDERS
    while address:
        page = shopper.get(address)
        seen += listed(page)
        address = page.json()["next"]

    assert len(seen) == 45
    assert set(seen) == set(orders)
    assert shopper.get(page.json()["previous"]).status_code == 200


def test_an_order_placed_between_two_pages_moves_nothing(shopper):
    first = placed(shopper, 25)
    page = shopper.get(ORDERS).json()
    placed(shopper)

    assert listed(shopper.get(page["next"])) == [str(order.public_id) for order in reversed(first[:5])]


CURSORS = {
    "garbage": "x",
    "no time": b64encode(b"p=abc").decode(),
    "no such time": b64encode(b"p=2026-13-45 00:00:00+00:00").decode(),
    "a time without a zone": b64encode(b"p=2026-01-01 00:00:00").decode(),
    "NUL": b64encode(b"p=%00").decode(),
    "a far offset": b64encode(b"o=-1").decode(),
    "not ASCII": "é",
}


@pytest.mark.parametrize("cursor", CURSORS.values(), ids=CURSORS.keys())
def test_a_cursor_that_is_not_ours_leads_nowhere(shopper, cursor):
    response = shopper.get(f"{ORDERS}?{urlencode({'cursor': cursor})}")

    assert response.status_code == 404
    assert response.json()["detail"] == "Invalid cursor"


def test_a_list_costs_the_same_however_long_it_is(shopper, django_assert_num_queries):
    for count in (1, 19):
        placed(shopper, count)
        with django_assert_num_queries(3):  # orders, lines, products
            shopper.get(ORDERS)


# --- one order ------------------------------------------------------------------------------------


def test_an_order_tells_its_whole_life(shopper, django_assert_num_queries):
    [order] = placed(shopper)
    order.mark_paid(payment_intent_id="pi_1", email="ada@example.com", source=Source.WEBHOOK)
    order.fulfilment.prepare(who_id=None)
    order.fulfilment.ship(carrier="Post", tracking_url="https://post.example/1", who_id=None)

    with django_assert_num_queries(5):  # order, lines, products, refunds, timeline
        told = shopper.get(f"{ORDERS}{order.public_id}/").json()

    assert told["payment_status"] == "paid"
    assert (told["carrier"], told["tracking_url"]) == ("Post", "https://post.example/1")
    assert [(change["what"], change["before"], change["after"]) for change in told["timeline"]] == [
        ("placed", "", "pending"),
        ("payment_status", "pending", "paid"),
        ("fulfilment_status", "unfulfilled", "preparing"),
        ("fulfilment_status", "preparing", "shipped"),
    ]
    assert told["timeline"][1]["source"] == "webhook"


def test_a_refund_is_told_with_its_amount_once_stripe_makes_it(deliver, shopper):
    [order] = placed(shopper)
    order.mark_paid(payment_intent_id="pi_1", email="ada@example.com", source=Source.WEBHOOK)
    wish = order.refunds.request(order, 300, reason="", note="She was rude.", who_id=factories.user().pk)
    assert shopper.get(f"{ORDERS}{order.public_id}/").json()["refunds"] == []

    made = stripe_events.refund(order, 300, metadata={"refund": str(wish.public_id)})
    deliver(stripe_events.event("refund.created", made))
    told = shopper.get(f"{ORDERS}{order.public_id}/")

    [refund] = told.json()["refunds"]
    assert (refund["amount"], refund["amount_formatted"], refund["status"]) == (300, "€3.00", "succeeded")
    change = told.json()["timeline"][-1]
    assert (change["what"], change["after"], change["amount"]) == ("refund", "succeeded", 300)
    assert told.json()["refunded_amount"] == 300
    assert "rude" not in told.text


def test_what_only_staff_should_know_is_not_told(shopper):
    [order] = placed(shopper)
    order.mark_paid(payment_intent_id="pi_secret", email="ada@example.com", source=Source.WEBHOOK)
    order.flag("Looks like fraud.", source=Source.STAFF)

    told = shopper.get(f"{ORDERS}{order.public_id}/")

    change = told.json()["timeline"][-1]
    assert (change["what"], change["before"], change["after"]) == ("needs_attention", "", "held")
    for secret in ("fraud", "pi_secret", "ada@example.com", "guest_id", order.guest_id.hex):
        assert secret not in told.text


def test_an_order_may_not_be_kept_by_anybody(shopper):
    [order] = placed(shopper)
    for address in (ORDERS, f"{ORDERS}{order.public_id}/"):
        assert "no-store" in shopper.get(address)["Cache-Control"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x"])
def test_a_tracking_link_leads_to_the_web_or_nowhere(shopper, address):
    [order] = placed(shopper)
    Order.objects.update(tracking_url=address)

    assert shopper.get(f"{ORDERS}{order.public_id}/").json()["tracking_url"] == ""


def test_who_opened_an_orders_link_sees_it_but_does_not_own_it(shopper):
    order = factories.order()
    OrderGrant.objects.create(order=order, guest_id=factories.shopper_of(shopper).guest_id)

    assert shopper.get(f"{ORDERS}{order.public_id}/").status_code == 200
    assert listed(shopper.get(ORDERS)) == []


# --- somebody else's ------------------------------------------------------------------------------


@pytest.mark.parametrize("stranger", [factories.visitor, logged_in], ids=["another guest", "a user"])
def test_somebody_elses_order_is_not_there_33(shopper, stranger):
    [order] = placed(shopper)
    client = stranger()

    theirs, none = client.get(f"{ORDERS}{order.public_id}/"), client.get(f"{ORDERS}{uuid.uuid4()}/")
    assert theirs.status_code == none.status_code == 404
    assert theirs.json() == none.json()
    assert listed(client.get(ORDERS)) == []


def test_a_guests_order_that_moved_to_an_account_is_no_longer_the_guests(shopper):
    [order] = placed(shopper)
    order.hand_over(factories.user().pk)

    assert shopper.get(f"{ORDERS}{order.public_id}/").status_code == 404


COOKIES = {"none": None, "a forged one": "x" * 32, "an id that nobody signed": str(uuid.uuid4())}


@pytest.mark.parametrize("cookie", COOKIES.values(), ids=COOKIES.keys())
def test_who_is_nobody_yet_is_asked_who_she_is(shopper, cookie):
    [order] = placed(shopper)
    client = Client()
    if cookie:
        client.cookies["guest"] = cookie

    for address in (ORDERS, f"{ORDERS}{order.public_id}/"):
        response = client.get(address)
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Token"
    assert "guest" not in response.cookies
