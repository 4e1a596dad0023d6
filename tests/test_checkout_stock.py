"""What is not on sale, or not left, cannot be bought; a shopper's own unpaid order does not count."""

from functools import partial

import pytest

from shop.models import Order, PaymentStatus
from tests import factories
from tests.buying import buy, session_of, sessions_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stripe", "shopper_is_here")]


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
    buyers = [factories.visitor() for _ in range(50)]

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
    buy(factories.visitor(), (rare, 1))

    assert buy(shopper, (rare, 1)).status_code == 422
    assert session_of(stripe, Order.objects.get()).status == "open"
