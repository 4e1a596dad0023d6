"""A web host whose clock is ten minutes wrong, beside a database and a Stripe whose clocks are right."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from shop.links import link_to
from shop.models import Order, OrderLink, PaymentStatus
from shop.models.checkout import CHECKOUT_LASTS
from tests import factories
from tests.buying import buy, session_of
from tests.reconciling import run
from tests.traffic import Browser

LIBFAKETIME = next((str(library) for library in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")
FAST, SLOW = timedelta(minutes=10), timedelta(minutes=-10)


@pytest.fixture
def host_is(monkeypatch):
    """Call it with how far ahead this process's clock shall be from now on."""
    right = timezone.now

    def wrong_by(ahead):
        monkeypatch.setattr(timezone, "now", lambda: right() + ahead)

    return wrong_by


@pytest.mark.skipif(
    not LIBFAKETIME, reason="The clock of a program is set by libfaketime, package `faketime`."
)
@pytest.mark.parametrize("ahead", ["-600s", "+600s"], ids=["slow", "fast"])
def test_a_web_process_with_a_wrong_clock_sells_and_holds_for_as_long_as_ever(stack, ahead):
    lie = {"LD_PRELOAD": LIBFAKETIME, "FAKETIME": ahead, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with stack.another_web(**lie) as web, Browser(web) as browser:
        answer = browser.check_out()
        assert (answer.status_code, urlsplit(answer.headers["Location"]).port) == (303, stack.stripe_port)

    session = session_at(stack, answer.headers["Location"])
    lasts = timedelta(seconds=session["expires_at"] - session["created"])
    assert abs(lasts - CHECKOUT_LASTS) < FAST / 2


def session_at(stack, payment_page):
    """What the local Stripe has of it, by its own clock, which is right."""
    session_id = urlsplit(payment_page).path.rpartition("/")[2]
    address = f"http://127.0.0.1:{stack.stripe_port}/v1/checkout/sessions/{session_id}"
    with httpx.Client(trust_env=False, auth=(stack.env["STRIPE_SECRET_KEY"], "")) as client:
        return client.get(address).raise_for_status().json()


@pytest.mark.django_db
@pytest.mark.usefixtures("stripe", "shopper_is_here")
@pytest.mark.parametrize("ahead", [SLOW, FAST], ids=["slow", "fast"])
def test_goods_are_held_for_as_long_as_ever(stripe, shopper, bell, host_is, ahead):
    host_is(ahead)
    assert buy(shopper, (bell, 1)).status_code == 303

    order = Order.objects.get()
    assert order.checkout_expires_at - order.placed_at == CHECKOUT_LASTS
    assert session_of(stripe, order).expires_at == int(order.checkout_expires_at.timestamp())


@pytest.mark.django_db
@pytest.mark.usefixtures("shopper_is_here", "quick_retries")
@pytest.mark.parametrize("ahead", [SLOW, FAST], ids=["slow", "fast"])
def test_a_new_attempt_has_the_full_time_too(line, shopper, bell, host_is, ahead):
    host_is(ahead)
    line.next_come(500)
    assert buy(shopper, (bell, 1)).status_code == 503
    assert buy(shopper, (bell, 1)).status_code == 303

    order = Order.objects.get()
    assert order.checkout_attempt == 2
    assert CHECKOUT_LASTS <= order.checkout_expires_at - order.placed_at < CHECKOUT_LASTS + FAST / 2


@pytest.mark.django_db
@pytest.mark.usefixtures("stripe")
@pytest.mark.parametrize(
    ("ahead", "left", "ends"),
    [
        (FAST, timedelta(minutes=5), PaymentStatus.PENDING),
        (SLOW, timedelta(minutes=-5), PaymentStatus.EXPIRED),
    ],
    ids=["fast", "slow"],
)
def test_an_order_without_a_session_ends_neither_early_nor_late(host_is, ahead, left, ends):
    order = factories.order()
    Order.objects.update(placed_at=F("placed_at") - timedelta(hours=1), checkout_expires_at=Now() + left)
    host_is(ahead)
    run()
    order.refresh_from_db()
    assert order.payment_status == ends


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("ahead", "left", "status"),
    [(FAST, timedelta(minutes=5), 302), (SLOW, timedelta(minutes=-5), 404)],
    ids=["fast", "slow"],
)
def test_a_link_to_an_order_ends_neither_early_nor_late(client, host_is, ahead, left, status):
    link = urlsplit(link_to(factories.order())).path
    OrderLink.objects.update(created_at=Now() - timedelta(days=30), expires_at=Now() + left)
    host_is(ahead)
    assert client.get(link).status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize("ahead", [SLOW, FAST], ids=["slow", "fast"])
def test_a_link_lasts_as_long_as_ever(host_is, ahead):
    host_is(ahead)
    link_to(factories.order())
    link = OrderLink.objects.get()
    assert link.expires_at - link.created_at == timedelta(days=30)
