"""Somebody else's order is not there, whoever asks, and told apart from none by nothing."""

import re
import uuid

import pytest
from django.test import Client

from shop.models import Order
from tests import factories
from tests.buying import buy, session_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stripe", "shopper_is_here")]

STRANGERS = {
    "another guest": factories.visitor,
    "nobody yet": Client,
    "a user": lambda: logged_in(),
    "staff without business here": lambda: logged_in(is_staff=True, is_superuser=True),
    "a forged guest cookie": lambda: with_cookie(uuid.uuid4().hex),
    "the owner's id without a signature": lambda: with_cookie(str(Order.objects.get().guest_id)),
}


def logged_in(**fields):
    return factories.browser_of(factories.user(**fields))


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
