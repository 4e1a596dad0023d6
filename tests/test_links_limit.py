"""Who asks for links all the time: told to wait, and others are not."""

import re

import pytest
from django.test import Client

from tests import factories
from tests.worker import waiting

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _three_an_hour(settings):
    settings.LIMITS = settings.LIMITS | {"links": "3/hour"}


def ask(number, client=None, **headers):
    client = client or Client()
    return client.post("/orders/find/", {"email": f"ada{number}@example.com"}, headers=headers)


def test_who_asks_too_often_is_told_when_to_come_back():
    browser = Client()
    assert [ask(number, browser).status_code for number in range(3)] == [302] * 3

    refused = ask(3, browser)
    assert refused.status_code == 429
    assert 1190 < int(refused["Retry-After"]) <= 1200, "one of three an hour has grown again by then"
    assert "Try again in 20 minutes." in re.sub(r"\s+", " ", refused.text)
    assert "Shopbell</title>" in refused.text
    assert "no-cache" in refused["Cache-Control"]
    assert waiting("send_links") == 3


def test_a_new_browser_or_a_made_up_address_is_no_way_around_it():
    for number in range(3):
        ask(number)

    assert ask(3).status_code == 429
    assert ask(3, **{"x-forwarded-for": "10.0.0.3"}).status_code == 429


@pytest.mark.parametrize(
    ("visitor", "other"),
    [
        ("127.0.0.1", "10.0.0.2"),
        ("2001:db8:1::1", "2001:db8:1:1::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("", "2001:db8::"),
    ],
)
def test_others_are_not_told_to_wait(visitor, other):
    for number in range(4):
        ask(number, Client(REMOTE_ADDR=visitor))

    assert ask(4, Client(REMOTE_ADDR=other)).status_code == 302


def test_another_address_of_the_same_network_is_no_way_around_it():
    for number in range(3):
        ask(number, Client(REMOTE_ADDR=f"2001:db8::{number}"))

    assert ask(3, Client(REMOTE_ADDR="2001:db8:0:0:ffff::1")).status_code == 429


def test_the_form_may_be_looked_at_and_mistyped_as_often_as_one_likes(client):
    for _ in range(5):
        assert client.get("/orders/find/").status_code == 200
        assert client.post("/orders/find/", {"email": "ada"}).status_code == 422

    assert ask(1, client).status_code == 302


def test_a_new_password_is_an_e_mail_too():
    ada = factories.user(email="ada@example.com")
    answers = [
        Client().post("/accounts/password_reset/", {"email": email})
        for email in (ada.email, "nobody@example.com", ada.email, ada.email)
    ]

    assert [answer.status_code for answer in answers] == [302, 302, 302, 429]
    assert waiting("send_password_reset") == 2, "one for each address"
    assert ask(1).status_code == 429
