"""Who comes back from Stripe's payment page, or to it later, finds the order as it truly stands."""

import pytest
from django.test import Client

from shop.models import Order, PaymentStatus, Source
from tests import factories, stripe_events
from tests.buying import buy, session_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stripe", "shopper_is_here")]


# --- to the same order, or a new one -----------------------------------------------------------------


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


# --- before the webhook --------------------------------------------------------------------------------


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
