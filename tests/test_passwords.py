"""What a password may be: long, of any characters, counted as it was typed, none that everybody tries."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tests import factories

pytestmark = pytest.mark.django_db

NEW = "another horse, another staple"


def sign_up(client, password):
    form = {"username": "ada", "email": "ada@example.com", "password1": password, "password2": password}
    return client.post("/accounts/signup/", form)


def log_in(password):
    return Client().post("/accounts/login/", {"username": "ada", "password": password}).status_code == 302


def gets_token(password):
    call = {"username": "ada", "password": password}
    return Client().post("/api/v1/token/", call, content_type="application/json").status_code == 200


OF_THE_SHOP = ["shopbell2026", "Shopbell!", "STRIPE-checkout-1", "manager#shopbell", "shopbellshop99"]


@pytest.mark.parametrize("password", OF_THE_SHOP)
def test_what_everybody_would_try_at_this_shop_is_refused(client, password):
    response = sign_up(client, password)

    assert response.status_code == 422
    assert "words that anybody would try" in response.text
    assert not User.objects.exists()


def test_the_shops_own_name_in_the_internet_is_refused(client, settings):
    settings.PUBLIC_URL = "https://klingelkiste.example"
    assert sign_up(client, "Klingelkiste-2026").status_code == 422


def test_such_a_word_among_others_does_no_harm(client):
    assert sign_up(client, "shopbell on the green hill").status_code == 302


def test_a_new_password_is_held_to_the_same(client):
    factories.user(username="ada", password=NEW)
    client.post("/accounts/login/", {"username": "ada", "password": NEW})
    form = {"old_password": NEW, "new_password1": "shopbell2026", "new_password2": "shopbell2026"}

    assert "words that anybody would try" in client.post("/accounts/password_change/", form).text
    assert log_in(NEW)


@pytest.mark.parametrize("password", ["Ä" * 200, "⚡🔔 длинный пароль", "     spaces around ", "aaaa bbbbbb"])
def test_any_length_and_any_characters_will_do(client, password):
    assert sign_up(client, password).status_code == 302
    assert log_in(password)
    assert gets_token(password)


def test_a_password_counts_as_it_was_typed_to_the_last_character(client):
    password = f" {'Long ' * 40}end "
    sign_up(client, password)

    for other in (password.strip(), password.lower(), password[:-1], password[:72]):
        assert not log_in(other)
        assert not gets_token(other)
    assert log_in(password)


def test_a_very_long_one_is_looked_at_in_no_time(client):
    """Words that can be read in more than one way must not be tried in all of them."""
    assert sign_up(client, "shopbell" * 10_000 + "x").status_code == 302


@pytest.mark.parametrize("path", ["signup/", "login/", "reset/MQ/set-password/"])
def test_a_password_is_typed_unseen_and_may_be_pasted(client, path):
    ada = factories.user(pk=1)
    if "reset" in path:
        link = f"/accounts/reset/MQ/{default_token_generator.make_token(ada)}/"
        page = client.get(link, follow=True).text
    else:
        page = client.get(f"/accounts/{path}").text
    fields = re.findall(r"<input[^>]*password[^>]*>", page)

    assert fields
    assert all('type="password"' in field and "maxlength" not in field for field in fields)
    assert all(re.search(r'autocomplete="(new|current)-password"', field) for field in fields)
    assert "onpaste" not in page


def test_a_link_for_a_new_password_is_good_for_an_hour(client, monkeypatch):
    ada = factories.user(username="ada")
    now = default_token_generator._now()
    page = client.get(link_of(ada, monkeypatch, now, seconds_ago=3500), follow=True)
    assert "new_password1" in page.text

    page = client.get(link_of(ada, monkeypatch, now, seconds_ago=3700), follow=True)
    assert "too old" in page.text
    assert settings.PASSWORD_RESET_TIMEOUT == 3600


def link_of(user, monkeypatch, now, *, seconds_ago):
    with monkeypatch.context() as back_then:
        back_then.setattr(default_token_generator, "_now", lambda: now - timedelta(seconds=seconds_ago))
        token = default_token_generator.make_token(user)
    return f"/accounts/reset/{urlsafe_base64_encode(force_bytes(user.pk))}/{token}/"
