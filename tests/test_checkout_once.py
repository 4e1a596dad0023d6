"""Who clicks Buy twice, or in two windows, has one order and one session at Stripe."""

import pytest
from django.test import Client

from shop.models import Order
from tests import factories
from tests.buying import buy, sessions_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stripe", "shopper_is_here")]


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
    first, second = buy(shopper, (bell, 1)), buy(factories.visitor(), (bell, 1))

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
