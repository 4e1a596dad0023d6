"""Who has lost the links asks for them by e-mail, and strangers learn nothing."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from shop import emails, jobs
from shop.models import LinksEmail, Order, Source
from tests import factories
from tests.worker import waiting, work

pytestmark = pytest.mark.django_db

ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    """One that has not called the worker yet."""
    monkeypatch.setattr(jobs, "_called_at", float("-inf"))


@pytest.fixture
def order():
    """Ada's."""
    return bought()


def bought(shopper=None, email=ADA):
    order = factories.order(shopper)
    order.mark_paid(payment_intent_id=f"pi_{order.pk}", email=email, source=Source.WEBHOOK)
    return order


def ask(client, email, **how):
    return client.post("/orders/find/", {"email": email}, **how)


def links_in(letter):
    return re.findall(r"https?://\S+(/orders/link/\S+)", letter.body)


@pytest.mark.django_db(transaction=True)
def test_who_has_lost_the_link_gets_one_for_each_order_by_email(client, shopper, mailoutbox):
    shopper.get("/")
    orders = [bought(factories.shopper_of(shopper)) for _ in range(2)]
    factories.order(factories.shopper_of(shopper))
    work()
    mailoutbox.clear()

    assert ask(client, " ADA@example.COM ")["Location"] == "/orders/find/sent/"
    work()

    [letter] = mailoutbox
    assert letter.to == [ADA]
    opened = [client.get(link)["Location"] for link in links_in(letter)]
    assert opened == [order.get_absolute_url() for order in reversed(orders)]


def test_the_answer_and_its_work_are_the_same_whoever_asks(client, order, django_assert_num_queries):
    answers = []
    for email in (ADA, "grace@example.com"):
        with django_assert_num_queries(3) as queries:  # a savepoint, its end, and the job between
            answers.append(ask(client, email))
        assert not any("shop_" in query["sql"] for query in queries.captured_queries)
    known, unknown = answers

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert client.get(known["Location"]).status_code == 200


def test_an_address_without_orders_gets_nothing(order, mailoutbox):
    emails.send_links("grace@example.com")

    assert mailoutbox == []
    assert not LinksEmail.objects.exists()


@pytest.mark.parametrize("email", ["", "ada", "ada@", "a b@example.com", f"{'x' * 300}@example.com"])
def test_what_is_no_address_is_said_and_kept(client, order, email):
    response = ask(client, email)

    assert response.status_code == 422
    assert f'value="{email}"' in response.text or not email
    assert waiting("send_links") == 0


def test_asking_needs_a_token_of_the_page(order):
    assert ask(Client(enforce_csrf_checks=True), ADA).status_code == 403


def test_asking_twice_before_the_worker_comes_is_asking_once(client, order):
    for email in (ADA, "Ada@Example.com", ADA):
        assert ask(client, email).status_code == 302

    assert waiting("send_links") == 1


def test_an_address_gets_its_links_once_in_ten_minutes(order, mailoutbox):
    emails.send_links(ADA)
    emails.send_links("ADA@EXAMPLE.COM")
    assert len(mailoutbox) == 1

    LinksEmail.objects.update(sent_at=timezone.now() - timedelta(minutes=11))
    emails.send_links(ADA)
    assert len(mailoutbox) == 2


def test_it_brings_the_ten_newest(mailoutbox):
    orders = [bought() for _ in range(12)]
    emails.send_links(ADA)

    [letter] = mailoutbox
    numbers = re.findall(r"Order (\w{8}) of", letter.body)
    assert numbers == [order.number for order in reversed(orders[2:])]
    assert len(links_in(letter)) == 10


def test_it_brings_those_of_three_months(order, mailoutbox):
    Order.objects.filter(pk=bought().pk).update(placed_at=timezone.now() - timedelta(days=91))
    emails.send_links(ADA)

    [letter] = mailoutbox
    assert re.findall(r"Order (\w{8}) of", letter.body) == [order.number]


LOOKALIKES = [
    "mı\N{KELVIN SIGN}e@ſhop.example",
    "mike@\N{LATIN SMALL LETTER LONG S}hop.example",
    "mike@shöp.example",
]


@pytest.mark.parametrize("lookalike", LOOKALIKES)
def test_what_only_looks_like_an_address_gets_none_of_its_letters(mailoutbox, lookalike):
    bought(email="mike@shop.example")
    emails.send_links(lookalike)

    assert mailoutbox == []


def test_it_is_sent_to_where_the_order_says(mailoutbox):
    bought(email="Ada@Example.com")
    emails.send_links("ada@example.com")

    assert mailoutbox[0].to == ["Ada@Example.com"]


@pytest.mark.parametrize("page", ["/orders/", "/accounts/login/", "/orders/link/wrong/"])
def test_the_way_to_it_is_where_one_looks_for_it(client, page):
    assert 'href="/orders/find/"' in client.get(page).text
