"""Lists of orders: newest first, in pages, at the same cost however many there are."""

import re

import pytest

from shop.models import Source
from shop.shoppers import Shopper
from tests import factories

pytestmark = pytest.mark.django_db


# --- what they cost ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 10, 60])
def test_the_shop_page_costs_a_guest_the_same_however_many_orders_there_are(
    client, number, django_assert_num_queries
):
    client.get("/")
    bell = factories.product(stock=None)
    for _ in range(number):
        paid(factories.shopper_of(client), bell)

    # The clock, the products, her orders, their lines.
    with django_assert_num_queries(4):
        assert client.get("/").status_code == 200


@pytest.mark.parametrize("number", [1, 10, 60])
def test_the_shop_page_costs_a_user_the_same_however_many_orders_there_are(
    client, number, django_assert_num_queries
):
    user = factories.user()
    client.force_login(user)
    bell = factories.product(stock=None)
    for _ in range(number):
        paid(Shopper(user_id=user.pk), bell)

    # The session and the user as well.
    with django_assert_num_queries(6):
        assert client.get("/").status_code == 200


@pytest.mark.parametrize("number", [1, 30])
def test_an_orders_page_costs_the_same_however_long_the_order(client, number, django_assert_num_queries):
    client.get("/")
    order = factories.order(factories.shopper_of(client), *[(factories.product(), 1) for _ in range(number)])

    with django_assert_num_queries(4):
        assert client.get(order.get_absolute_url()).status_code == 200


@pytest.mark.parametrize("number", [1, 15, 30])
def test_the_list_of_orders_costs_the_same_however_long_it_is(client, number, django_assert_num_queries):
    client.get("/")
    bell = factories.product(stock=None)
    for _ in range(number):
        paid(factories.shopper_of(client), bell)

    with django_assert_num_queries(4):
        assert client.get("/orders/").status_code == 200


def paid(shopper, product):
    order = factories.order(shopper, (product, 1))
    order.mark_paid(payment_intent_id=f"pi_{order.pk}", email="", source=Source.WEBHOOK)
    return order


# --- what they show ------------------------------------------------------------------------------------


def numbers_on(response):
    """The numbers of the orders that a page lists, in order."""
    return re.findall(r">Order ([0-9A-F]{8})<", response.text)


@pytest.fixture
def forty_five(client):
    """A guest's paid orders, newest first."""
    client.get("/")
    bell = factories.product(stock=None)
    return [paid(factories.shopper_of(client), bell).number for _ in range(45)][::-1]


def test_the_orders_come_in_pages_newest_first(client, forty_five):
    pages = [numbers_on(client.get(f"/orders/?page={page}")) for page in (1, 2, 3)]

    assert [len(page) for page in pages] == [20, 20, 5]
    assert [number for page in pages for number in page] == forty_five
    assert numbers_on(client.get("/orders/")) == pages[0]


def test_pages_lead_to_each_other(client, forty_five):
    first, second, last = (client.get(f"/orders/?page={page}").text for page in (1, 2, 3))

    assert ('rel="prev"' in first, 'rel="next" href="?page=2"' in first) == (False, True)
    assert ('rel="prev" href="?page=1"' in second, 'rel="next" href="?page=3"' in second) == (True, True)
    assert ('rel="prev" href="?page=2"' in last, 'rel="next"' in last) == (True, False)


@pytest.mark.parametrize(
    ("page", "shown"),
    [("0", 5), ("-1", 5), ("4", 5), ("x", 20), ("", 20), ("1e3", 20), ("%00", 20), ("9" * 30, 5)],
)
def test_a_page_that_is_none_shows_one_that_is(client, forty_five, page, shown):
    response = client.get(f"/orders/?page={page}")

    assert response.status_code == 200
    assert len(numbers_on(response)) == shown


def test_the_shop_page_shows_the_newest_ten_and_where_the_others_are(client, forty_five):
    page = client.get("/")

    assert numbers_on(page) == forty_five[:10]
    assert 'href="/orders/">All your orders' in page.text


def test_checkouts_that_came_to_nothing_are_not_listed_but_keep_their_page(client):
    client.get("/")
    order = factories.order(factories.shopper_of(client))
    order.expire(source=Source.WEBHOOK)

    assert numbers_on(client.get("/orders/")) == []
    assert 'data-payment-status="expired"' in client.get(order.get_absolute_url()).text


def test_who_bought_nothing_yet_is_told_so(client):
    assert "Nothing bought yet." in client.get("/orders/").text
