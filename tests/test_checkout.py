"""From the cart to Stripe's payment page and back, with the local Stripe at the other end."""

import re
import uuid
from functools import partial

import pytest
from django.test import Client

from shop.models import Order, PaymentStatus, Source
from tests import factories, stripe_events

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _with_stripe(stripe):
    """Every test here talks to it."""


@pytest.fixture
def bell():
    return factories.product(name="Bell", unit_amount=1250, stock=5)


@pytest.fixture
def shopper():
    """A browser that has opened the shop page."""
    return opened()


def opened():
    client = Client()
    client.get("/")
    return client


def buy(client, *cart, **fields):
    quantities = {f"quantity-{product.slug}": quantity for product, quantity in cart}
    return client.post("/checkout/", quantities | fields)


def session_of(stripe, order):
    return stripe.client().v1.checkout.sessions.retrieve(order.stripe_session_id)


def sessions_of(stripe, order):
    """The ids of all sessions that Stripe ever made for the order."""
    sessions = stripe.client().v1.checkout.sessions.list({"limit": 100})
    return [session.id for session in sessions.data if session.client_reference_id == str(order.public_id)]


# --- buying ---------------------------------------------------------------------------------------


def test_buying_leads_to_stripes_page_for_a_pending_order_that_holds_its_stock(stripe, shopper, bell):
    response = buy(shopper, (bell, 2))

    order = Order.objects.get()
    assert response.status_code == 303
    assert response["Location"] == stripe.page(session_of(stripe, order))
    assert (order.payment_status, order.amount_total, order.currency) == (PaymentStatus.PENDING, 2500, "eur")
    bell.refresh_from_db()
    assert (bell.stock, bell.held) == (5, 2)


def test_stripe_is_told_what_the_order_says_and_no_more(stripe, shopper, bell):
    chime = factories.product(name="Chime", unit_amount=3950)
    buy(shopper, (bell, 2), (chime, 1))

    order = Order.objects.get()
    session = session_of(stripe, order)
    items = stripe.client().v1.checkout.sessions.line_items.list(session.id).data
    assert [(item.description, item.quantity, item.amount_total) for item in items] == [
        ("Bell", 2, 2500),
        ("Chime", 1, 3950),
    ]
    assert (session.amount_total, session.currency) == (6450, "eur")
    assert session.client_reference_id == session.metadata["public_id"] == str(order.public_id)
    assert session.expires_at == int(order.checkout_expires_at.timestamp())
    assert session.success_url.endswith(f"/orders/{order.public_id}/?from=stripe")


def test_a_price_or_currency_in_the_form_is_ignored_27(shopper, bell):
    free = {"price": 0, "unit_amount": 1, "amount_total": 1, "currency": "jpy", f"price-{bell.slug}": 1}
    assert buy(shopper, (bell, 2), **free).status_code == 303

    order = Order.objects.get()
    assert (order.amount_total, order.currency) == (2500, "eur")


def test_buying_needs_no_visit_before(bell):
    client = Client()
    assert buy(client, (bell, 1)).status_code == 303
    assert Order.objects.get().guest_id == factories.shopper_of(client).guest_id


def test_a_user_buys_for_her_account(bell, client):
    user = factories.user()
    client.force_login(user)
    buy(client, (bell, 1))

    order = Order.objects.get()
    assert (order.user, order.guest_id) == (user, None)


# --- once -----------------------------------------------------------------------------------------


def test_a_double_submit_leads_to_the_same_session_30(shopper, bell):
    first, second = buy(shopper, (bell, 2)), buy(shopper, (bell, 2))

    assert first["Location"] == second["Location"]
    assert Order.objects.count() == 1
    bell.refresh_from_db()
    assert bell.held == 2


def test_zeroes_and_the_order_of_fields_make_no_other_cart_30(shopper, bell):
    chime = factories.product()
    first = buy(shopper, (bell, 1), (chime, 1))
    assert buy(shopper, (chime, 1), (bell, 1))["Location"] == first["Location"]
    factories.product(slug="later")
    assert buy(shopper, (chime, 1), (bell, 1), **{"quantity-later": 0})["Location"] == first["Location"]


def test_another_cart_is_another_order(shopper, bell):
    first, second = buy(shopper, (bell, 1)), buy(shopper, (bell, 2))

    assert first["Location"] != second["Location"]
    assert Order.objects.count() == 2


def test_a_new_price_is_another_order(shopper, bell):
    first = buy(shopper, (bell, 1))
    bell.revise(unit_amount=1500)
    second = buy(shopper, (bell, 1))

    assert first["Location"] != second["Location"]
    assert sorted(Order.objects.values_list("amount_total", flat=True)) == [1250, 1500]


def test_two_shoppers_with_the_same_cart_have_an_order_each(shopper, bell):
    first, second = buy(shopper, (bell, 1)), buy(opened(), (bell, 1))

    assert first["Location"] != second["Location"]


@pytest.mark.django_db(transaction=True)
def test_clicks_at_the_same_moment_lead_to_the_same_session_30(stripe, at_once, shopper, bell):
    def click():
        tab = Client()
        tab.cookies = shopper.cookies
        return buy(tab, (bell, 2))

    responses = at_once([click] * 4)

    assert [response.status_code for response in responses] == [303] * 4
    assert len({response["Location"] for response in responses}) == 1
    assert len(sessions_of(stripe, Order.objects.get())) == 1
    bell.refresh_from_db()
    assert bell.held == 2


@pytest.mark.django_db(transaction=True)
def test_clicks_at_the_same_moment_for_the_last_unit_are_not_each_others_rivals_30(at_once, shopper):
    last = factories.product(stock=1)

    def click():
        tab = Client()
        tab.cookies = shopper.cookies
        return buy(tab, (last, 1))

    responses = at_once([click] * 4)

    assert [response.status_code for response in responses] == [303] * 4
    assert len({response["Location"] for response in responses}) == 1


# --- what cannot be bought ------------------------------------------------------------------------


@pytest.mark.parametrize("slug", ["nothing", "off-sale", ""], ids=["unknown", "no longer on sale", "no slug"])
def test_what_is_not_on_sale_is_not_there_28(shopper, bell, slug):
    factories.product(slug="off-sale", active=False)

    response = shopper.post("/checkout/", {f"quantity-{bell.slug}": 1, f"quantity-{slug}": 1})

    assert response.status_code == 404
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("stock", "says"), [(0, "Sold out just now."), (1, "Only 1 left just now.")], ids=["none", "one"]
)
def test_what_is_sold_out_says_so_beside_what_is_left_28(shopper, stock, says):
    rare = factories.product(stock=stock)

    response = buy(shopper, (rare, 2))

    assert response.status_code == 422
    assert says in response.text
    assert f'data-available="{stock}"' in response.text
    assert 'value="2"' in response.text
    assert not Order.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_fifty_buyers_at_once_of_the_last_unit_29(stripe, at_once):
    last = factories.product(name="Last", stock=1)
    buyers = [opened() for _ in range(50)]

    responses = at_once([partial(buy, buyer, (last, 1)) for buyer in buyers])

    statuses = sorted(response.status_code for response in responses)
    assert statuses == [303] + [422] * 49
    too_late = [response.text for response in responses if response.status_code == 422]
    assert all("Sold out just now." in page for page in too_late)
    assert all(
        f'id="stock-{last.slug}" class="stock" data-version="2" data-available="0"' in page
        for page in too_late
    )
    order = Order.objects.get()
    assert len(sessions_of(stripe, order)) == 1
    last.refresh_from_db()
    assert (last.stock, last.held) == (1, 1)


def test_a_shoppers_own_unpaid_order_does_not_stand_in_her_way(stripe, shopper):
    rare = factories.product(stock=3)
    buy(shopper, (rare, 2))
    earlier = Order.objects.get()

    assert buy(shopper, (rare, 3)).status_code == 303

    earlier.refresh_from_db()
    assert earlier.payment_status == PaymentStatus.EXPIRED
    assert session_of(stripe, earlier).status == "expired"
    rare.refresh_from_db()
    assert (rare.stock, rare.held) == (3, 3)


def test_a_shoppers_own_order_that_was_paid_in_time_stays_paid(stripe, shopper):
    rare = factories.product(stock=3)
    buy(shopper, (rare, 2))
    earlier = Order.objects.get()
    stripe.pay(session_of(stripe, earlier))

    assert buy(shopper, (rare, 3)).status_code == 422

    earlier.refresh_from_db()
    assert earlier.payment_status == PaymentStatus.PAID
    rare.refresh_from_db()
    assert (rare.stock, rare.held) == (1, 0)


def test_somebody_elses_unpaid_order_keeps_its_units(stripe, shopper):
    rare = factories.product(stock=1)
    buy(opened(), (rare, 1))

    assert buy(shopper, (rare, 1)).status_code == 422
    assert session_of(stripe, Order.objects.get()).status == "open"


# --- coming back ----------------------------------------------------------------------------------


def test_an_open_order_can_be_paid_later_on_the_same_page(shopper, bell):
    address = buy(shopper, (bell, 1))["Location"]
    order = Order.objects.get()

    response = shopper.post(f"/orders/{order.public_id}/pay/")

    assert (response.status_code, response["Location"]) == (303, address)


def test_an_order_that_never_got_its_session_gets_one_when_it_is_paid_later(stripe, shopper, bell):
    order = factories.order(factories.shopper_of(shopper), (bell, 1))

    response = shopper.post(f"/orders/{order.public_id}/pay/")

    order.refresh_from_db()
    assert response["Location"] == stripe.page(session_of(stripe, order))


def test_a_paid_order_leads_to_its_page(stripe, shopper, bell):
    buy(shopper, (bell, 1))
    order = Order.objects.get()
    stripe.pay(session_of(stripe, order))

    # The webhook has not come yet: buying the same again first learns that it is paid.
    assert buy(shopper, (bell, 1))["Location"] == order.get_absolute_url()
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID
    assert shopper.post(f"/orders/{order.public_id}/pay/")["Location"] == order.get_absolute_url()
    assert buy(shopper, (bell, 1))["Location"] != order.get_absolute_url()


def test_a_session_that_ended_makes_room_for_a_new_order(stripe, shopper, bell):
    buy(shopper, (bell, 1))
    ended = Order.objects.get()
    stripe.client().v1.checkout.sessions.expire(ended.stripe_session_id)

    response = buy(shopper, (bell, 1))

    renewed = Order.objects.exclude(pk=ended.pk).get()
    assert response["Location"] == stripe.page(session_of(stripe, renewed))
    ended.refresh_from_db()
    assert ended.payment_status == PaymentStatus.EXPIRED
    bell.refresh_from_db()
    assert bell.held == 1


def test_paying_an_order_whose_session_ended_leads_to_its_page_that_says_so(stripe, shopper, bell):
    buy(shopper, (bell, 1))
    order = Order.objects.get()
    stripe.client().v1.checkout.sessions.expire(order.stripe_session_id)

    response = shopper.post(f"/orders/{order.public_id}/pay/", follow=True)

    assert 'data-payment-status="expired"' in response.text


def test_who_cancels_finds_the_cart_as_it_was(stripe, shopper, bell):
    buy(shopper, (bell, 3))
    cancel_url = session_of(stripe, Order.objects.get()).cancel_url

    page = shopper.get(cancel_url)

    assert page.status_code == 200
    assert f'name="quantity-{bell.slug}"' in page.text
    assert 'value="3"' in page.text
    assert "Total <strong" in page.text


@pytest.mark.parametrize(
    ("host", "site"),
    [("127.0.0.1:8000", "http://127.0.0.1:8000"), ("localhost:8000", "http://localhost:8000")],
)
def test_who_pays_comes_back_to_the_origin_that_she_left(stripe, bell, settings, host, site):
    settings.SITE_ORIGINS = ["http://127.0.0.1:8000", "http://localhost:8000"]
    Client(headers={"host": host}).post("/checkout/", {f"quantity-{bell.slug}": 1})

    session = session_of(stripe, Order.objects.get())
    assert session.success_url.startswith(f"{site}/orders/")
    assert session.cancel_url.startswith(f"{site}/?")


# --- the webhook, missing -----------------------------------------------------------------------


def test_back_from_stripe_before_the_webhook_the_page_asks_stripe(stripe, shopper, bell):
    buy(shopper, (bell, 2))
    order = Order.objects.get()
    stripe.pay(session_of(stripe, order))

    page = shopper.get(f"/orders/{order.public_id}/?from=stripe")
    assert f'hx-post="/orders/{order.public_id}/check/"' in page.text
    assert shopper.post(f"/orders/{order.public_id}/check/").status_code == 204

    order.refresh_from_db()
    bell.refresh_from_db()
    assert (order.payment_status, order.email) == (PaymentStatus.PAID, "ada@example.com")
    assert order.changes.get(version=2).source == Source.RETURN_PAGE
    assert (bell.stock, bell.held) == (3, 0)


def test_the_webhook_after_the_return_page_changes_nothing(deliver, stripe, shopper, bell):
    buy(shopper, (bell, 2))
    order = Order.objects.get()
    stripe.pay(session_of(stripe, order))
    shopper.post(f"/orders/{order.public_id}/check/")

    session = session_of(stripe, order).to_dict()
    assert deliver(stripe_events.event("checkout.session.completed", session)).status_code == 200
    order.refresh_from_db()
    assert (order.payment_status, order.version) == (PaymentStatus.PAID, 2)


def test_asking_about_an_unpaid_order_changes_nothing(shopper, bell):
    buy(shopper, (bell, 2))
    order = Order.objects.get()

    assert shopper.post(f"/orders/{order.public_id}/check/").status_code == 204
    order.refresh_from_db()
    assert (order.payment_status, order.version) == (PaymentStatus.PENDING, 1)


def test_a_forged_visit_of_the_success_page_shows_the_true_state_34(shopper, bell):
    buy(shopper, (bell, 2))
    order = Order.objects.get()

    page = shopper.get(f"/orders/{order.public_id}/?from=stripe&session_id=cs_test_1&payment_status=paid")

    assert 'data-payment-status="pending"' in page.text
    assert 'data-payment-status="paid"' not in page.text
    order.refresh_from_db()
    assert (order.payment_status, order.version) == (PaymentStatus.PENDING, 1)


# --- somebody else's --------------------------------------------------------------------------------


STRANGERS = {
    "another guest": opened,
    "nobody yet": Client,
    "a user": lambda: logged_in(),
    "staff without business here": lambda: logged_in(is_staff=True, is_superuser=True),
    "a forged guest cookie": lambda: with_cookie(uuid.uuid4().hex),
    "the owner's id without a signature": lambda: with_cookie(str(Order.objects.get().guest_id)),
}


def logged_in(**fields):
    client = Client()
    client.force_login(factories.user(**fields))
    return client


def seen(response):
    return re.sub(r'(csrfmiddlewaretoken" value)="\w+"', r"\1", response.text)


def with_cookie(value):
    client = Client()
    client.cookies["guest"] = value
    return client


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS.keys())
def test_somebody_elses_order_is_not_there_33(stripe, shopper, bell, stranger):
    buy(shopper, (bell, 1))
    order = Order.objects.get()
    stripe.pay(session_of(stripe, order))
    client = stranger()
    address = f"/orders/{order.public_id}/"

    assert client.get(address).status_code == 404
    assert client.post(f"{address}pay/").status_code == 404
    assert client.post(f"{address}check/").status_code == 404
    assert order.number not in client.get("/orders/").text
    order.refresh_from_db()
    assert order.version == 1
    assert seen(client.get(address)) == seen(client.get(f"/orders/{uuid.uuid4()}/")), "told apart from none"


def test_a_users_order_is_not_a_guests(bell, shopper):
    order = factories.order(None, (bell, 1))
    order.hand_over(factories.user().pk)
    guest = factories.shopper_of(shopper)
    Order.objects.filter(pk=order.pk).update(guest_id=guest.guest_id)

    assert shopper.get(f"/orders/{order.public_id}/").status_code == 404


@pytest.mark.parametrize("action", ["pay", "check"])
def test_only_a_post_acts_on_an_order(shopper, bell, action):
    buy(shopper, (bell, 1))

    assert shopper.get(f"/orders/{Order.objects.get().public_id}/{action}/").status_code == 405
    assert shopper.get("/checkout/").status_code == 405
