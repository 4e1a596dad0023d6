"""Staff send an order's confirmation again."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client

from shop import jobs
from shop.models import Order, OrderEmail, Source
from shop.models.emails import CONFIRMATION_PAUSE
from shop.rights import FULFIL_ORDER, VIEW_PAYMENTS
from tests import factories
from tests.local_stripe import eventually
from tests.worker import work

pytestmark = pytest.mark.django_db(transaction=True)

HTMX = {"HX-Request": "true"}
LINK = re.compile(r"http://\S+/orders/link/\S+")


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    """One that has not called the worker yet."""
    monkeypatch.setattr(jobs, "_called_at", float("-inf"))


@pytest.fixture
def packer():
    return factories.staff(VIEW_PAYMENTS, FULFIL_ORDER, username="pia")


@pytest.fixture
def staff(packer):
    client = Client()
    client.force_login(packer)
    return client


@pytest.fixture
def order(mailoutbox):
    """Paid and confirmed, some time ago."""
    order = factories.paid_order()
    work()
    a_minute_goes_by()
    mailoutbox.clear()
    return order


def a_minute_goes_by():
    OrderEmail.objects.update(created_at=F("created_at") - CONFIRMATION_PAUSE - timedelta(seconds=1))


def waiting_for_a_row():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def press(client, order):
    return client.post(f"/dashboard/orders/{order.public_id}/resend/", headers=HTMX)


def test_the_buyer_gets_the_confirmation_again_with_a_link_that_works(staff, order, mailoutbox):
    assert "The confirmation is sent again, with a fresh link." in press(staff, order).text
    work()

    [letter] = mailoutbox
    assert (letter.to, letter.subject) == (["ada@example.com"], f"Order {order.number} is paid")
    [link] = set(LINK.findall(letter.body))
    elsewhere = Client()
    assert order.number in elsewhere.get(link, follow=True).text


def test_who_did_it_is_in_the_timeline_of_staff_and_not_in_the_buyers(staff, packer, order):
    press(staff, order)

    change = order.changes.last()
    assert (change.version, change.source, change.who) == (order.version + 1, Source.STAFF, packer)
    shown = staff.get(f"/dashboard/orders/{order.public_id}/").text
    assert "Order confirmation sent again" in shown
    assert "pia" in shown

    Order.objects.update(user=packer)  # who may see it as a shopper, too
    buyers = staff.get(f"/orders/{order.public_id}/").text.partition("What happened")[2]
    assert "Ordered" in buyers
    assert buyers.count("<li>") == 2
    told = staff.get(f"/api/v1/orders/{order.public_id}/").json()["timeline"]
    assert [change["what"] for change in told] == ["placed", "payment_status"]


def test_not_twice_within_a_minute_whoever_presses(staff, order, at_once, mailoutbox):
    with ThreadPoolExecutor(1) as others:
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=order.pk)
            pressed = others.submit(at_once, [lambda: press(staff, order).text] * 4)
            eventually(lambda: waiting_for_a_row() == 4)
        answers = pressed.result()
    work()

    again = ["Not again: the last one is not a minute old." in answer for answer in answers]
    assert sorted(again) == [False, True, True, True]
    assert len(mailoutbox) == 1

    a_minute_goes_by()
    press(staff, order)
    work()
    assert len(mailoutbox) == 2


def test_right_after_the_payment_the_first_one_is_enough(staff, mailoutbox):
    order = factories.paid_order()
    assert "the last one is not a minute old" in press(staff, order).text
    work()

    assert len(mailoutbox) == 1


def test_one_that_still_waits_for_the_mail_server_makes_way(staff, order, mailoutbox):
    OrderEmail.objects.update(sent_at=None, due_at=F("created_at") + timedelta(hours=1), tries=6)
    press(staff, order)
    OrderEmail.objects.update(due_at=F("created_at"))
    work()

    assert len(mailoutbox) == 1


def test_there_is_none_for_what_is_not_paid_or_has_no_address(staff, mailoutbox):
    unpaid, nameless = factories.order(), factories.order()
    nameless.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
    for order in (unpaid, nameless):
        page = staff.get(f"/dashboard/orders/{order.public_id}/").text
        assert "resend" not in re.findall(r'data-can="([^"]*)"', page)[0]
        assert "Not sent: it goes out for paid orders with an address." in press(staff, order).text
    work()

    assert mailoutbox == []
