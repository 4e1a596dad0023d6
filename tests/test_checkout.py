"""From the cart to Stripe's payment page, with the local Stripe at the other end."""

import pytest
from django.test import Client

from shop.models import Order, PaymentStatus
from tests import factories
from tests.buying import buy, session_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stripe", "shopper_is_here")]


@pytest.fixture
def bell():
    return factories.product(name="Bell", unit_amount=1250, stock=5)


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
