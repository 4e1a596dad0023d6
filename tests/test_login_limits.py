"""Ten wrong passwords, and who guesses is locked out for a while; others are not."""

import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import httpx
import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.db import connections
from django.db.models import F
from django.test import AsyncClient, Client
from rest_framework.authtoken.models import Token

from project.logs import Formatter
from shop import tasks
from tests import factories
from tests.worker import work

pytestmark = pytest.mark.django_db

PASSWORD = "a horse with a staple"
LOGIN, ADMIN, TOKEN = "/accounts/login/", "/admin/login/?next=/admin/", "/api/v1/token/"
HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def ada():
    return factories.user(username="ada", password=PASSWORD, is_staff=True)


def log_in(username="ada", typed="wrong", address=HOME, form=LOGIN, **options):
    client = Client(REMOTE_ADDR=address, **options)
    return client.post(form, {"username": username, "password": typed})


def ask_for_token(username="ada", typed="wrong", address=HOME):
    data = {"username": username, "password": typed}
    return Client(REMOTE_ADDR=address).post(TOKEN, data, content_type="application/json")


def guess(times, ask=log_in, **how):
    return [ask(**how).status_code for _ in range(times)]


def let_pass(time):
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - time)


def words(page):
    """What a page says, without what is new on each: the token of a form."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.text)


# --- locked, for a while ------------------------------------------------------------------------------


def test_after_ten_wrong_passwords_not_even_the_right_one_is_looked_at(ada):
    assert guess(9) == [200] * 9
    for refused in (log_in(), log_in(typed=PASSWORD)):
        assert refused.status_code == 429
        assert 890 < int(refused["Retry-After"]) <= 900
        assert "Locked for a while" in refused.text
        assert "for 15 minutes" in refused.text
        assert "Shopbell</title>" in refused.text
        assert "no-store" in refused["Cache-Control"]
        assert "sessionid" not in refused.cookies


def test_an_account_that_does_not_exist_is_locked_in_the_same_words(ada):
    assert guess(10) == guess(10, username="nobody")

    assert words(log_in()) == words(log_in(username="nobody"))
    one, other = ask_for_token(), ask_for_token(username="nobody")
    assert one.status_code == other.status_code == 429
    assert one.json().keys() == other.json().keys()


def test_a_while_later_the_right_one_is_right_again(ada):
    guess(10)
    let_pass(timedelta(minutes=14))
    assert log_in(typed=PASSWORD).status_code == 429

    let_pass(timedelta(minutes=1))
    assert log_in(typed=PASSWORD).status_code == 302


def test_who_goes_on_guessing_does_not_make_it_longer(ada):
    guess(10)
    let_pass(timedelta(minutes=14))
    assert guess(10) == [429] * 10

    let_pass(timedelta(minutes=1))
    assert log_in(typed=PASSWORD).status_code == 302


def test_the_right_password_in_time_forgets_the_wrong_ones(ada):
    for _ in range(3):
        assert guess(9) == [200] * 9
        assert log_in(typed=PASSWORD).status_code == 302


# --- others are not -----------------------------------------------------------------------------------


def test_nobody_can_lock_somebody_out_from_everywhere(ada):
    guess(20, address=ELSEWHERE)

    assert log_in(typed=PASSWORD).status_code == 302


def test_another_account_of_the_same_network_is_not_locked(ada):
    eve = factories.user(username="eve", password=PASSWORD)
    guess(10)

    assert log_in(eve.username, PASSWORD).status_code == 302


def test_another_browser_or_a_made_up_address_is_no_way_around_it(ada):
    for number in range(10):
        log_in(headers={"user-agent": f"Browser {number}", "x-forwarded-for": f"198.51.100.{number}"})

    assert log_in(headers={"x-forwarded-for": "198.51.100.99"}).status_code == 429
    assert AccessAttempt.objects.get().ip_address == HOME


def test_another_address_of_the_same_ipv6_network_is_none_either(ada):
    for number in range(10):
        log_in(address=f"2001:db8::{number:x}")

    assert log_in(address="2001:db8::ffff:1").status_code == 429
    assert log_in(typed=PASSWORD, address="2001:db8:0:1::1").status_code == 302


def test_a_hundred_wrong_ones_for_all_kinds_of_names_lock_their_network(ada, settings):
    settings.LOGIN_NETWORK_FAILURES = 15
    statuses = [log_in(username=f"user{number}").status_code for number in range(15)]
    assert statuses == [200] * 14 + [429]

    assert log_in(typed=PASSWORD).status_code == 429
    assert log_in(typed=PASSWORD, address=ELSEWHERE).status_code == 302


def test_an_account_of_ones_own_gives_no_new_guesses_at_others(ada, settings):
    settings.LOGIN_NETWORK_FAILURES = 15
    factories.user(username="mallory", password=PASSWORD)
    guess(9)
    assert log_in("mallory", PASSWORD).status_code == 302
    assert guess(2) == [429, 429]

    guess(4, username="grace")
    assert log_in("mallory", PASSWORD).status_code == 302
    assert log_in("heidi").status_code == 429


# --- at every door ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [LOGIN, ADMIN], ids=["shop", "admin"])
def test_each_door_locks_and_is_locked_with_the_others(ada, form):
    assert guess(10, form=form) == [200] * 9 + [429]

    for other in (LOGIN, ADMIN):
        assert log_in(typed=PASSWORD, form=other).status_code == 429
    assert ask_for_token(typed=PASSWORD).status_code == 429


def test_the_api_gives_no_token_then_and_says_when_it_will(ada):
    assert guess(10, ask=ask_for_token) == [400] * 9 + [429]

    refused = ask_for_token(typed=PASSWORD)
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    assert 890 < int(refused["Retry-After"]) <= 900
    assert refused.json()["title"] == "Too Many Requests"
    assert log_in(typed=PASSWORD).status_code == 429


@pytest.mark.django_db(transaction=True)
async def test_it_holds_under_asgi():
    async def ask(password):
        data = {"username": "nobody", "password": password}
        return await AsyncClient().post(LOGIN, data)

    assert [(await ask("wrong")).status_code for _ in range(10)] == [200] * 9 + [429]
    refused = await ask("wrong")
    assert (refused.status_code, "Locked for a while" in refused.text) == (429, True)
    assert int(refused["Retry-After"]) > 890


@pytest.mark.parametrize("name", ["a" * 300, "a\0da", "ада\u202e", "' OR 1=1 --", ""], ids=ascii)
def test_an_odd_name_is_as_wrong_as_any_other(name):
    assert log_in(username=name).status_code == 200
    assert ask_for_token(username=name).status_code == 400


def test_two_processes_count_together(stack):
    """Five wrong passwords at one, five at the other."""
    with stack.another_web() as other:
        statuses = [_log_in_at(web) for web in (stack.url, other) for _ in range(5)]
        assert statuses == [200] * 9 + [429]
        assert [_log_in_at(stack.url), _log_in_at(other)] == [429, 429]


def _log_in_at(web):
    with httpx.Client(trust_env=False, base_url=web, timeout=30) as browser:
        browser.get(LOGIN)
        data = {"username": "two-processes", "password": "wrong"}
        data["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        return browser.post(LOGIN, data=data).status_code


# --- many at one moment -------------------------------------------------------------------------------


class Held(MD5PasswordHasher):
    """Looks at the right password when it is told to."""

    begun, may_end = Event(), Event()

    def verify(self, password, encoded):
        if password == PASSWORD:
            self.begun.set()
            assert self.may_end.wait(60)
        return super().verify(password, encoded)


@pytest.fixture
def begin(settings):
    """Send the right password: `begin(log_in)` returns while it is being looked at; what that returns lets
    it be, and is the answer.
    """
    settings.PASSWORD_HASHERS = ["tests.test_login_limits.Held"]
    Held.begun.clear()
    Held.may_end.clear()

    def begin(ask):
        asked = thread.submit(ask, typed=PASSWORD)
        assert Held.begun.wait(60)

        def end():
            Held.may_end.set()
            return asked.result(60)

        return end

    with ThreadPoolExecutor(1) as thread:
        yield begin
        Held.may_end.set()
        thread.submit(connections.close_all)


DOORS: dict[str, Callable[..., Any]] = {
    "shop": log_in,
    "staff": lambda **how: log_in(form=f"{LOGIN}?next=/dashboard/", **how),
    "admin": lambda **how: log_in(form=ADMIN, **how),
    "token": ask_for_token,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", DOORS)
def test_a_right_password_that_was_sent_before_the_lock_and_is_looked_at_after_it_is_like_a_wrong_one(
    begin, ada, door
):
    """It was let through, because nothing had failed yet."""
    ask = DOORS[door]
    end = begin(ask)
    guess(10, ask=ask)
    late = end()

    assert (late.status_code, late.cookies.keys()) == (429, ask().cookies.keys())
    assert words(late) == words(ask())
    assert AccessAttempt.objects.get().failures_since_start == 11, "counted like a wrong one"
    assert not Token.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_right_password_among_a_few_wrong_ones_of_the_same_moment_is_right(begin, ada):
    end = begin(log_in)
    guess(9)

    assert end().status_code == 302


@pytest.mark.django_db(transaction=True)
def test_many_guesses_at_once_are_all_counted(at_once):
    at_once([lambda: log_in("nobody").status_code] * 8)

    assert sum(AccessAttempt.objects.values_list("failures_since_start", flat=True)) == 8
    assert not User.objects.exists()


# --- what is kept, and for how long -------------------------------------------------------------------


def test_neither_the_table_nor_the_log_learns_a_name_or_a_password(ada, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "swordfish-4711"
    for data in (
        {"username": "ada", "password": secret},
        {"username": secret, "password": ""},
        {"username": secret, "password": "wrong"},
        {"username": "ada", "password": "wrong", "passwort": secret, "next": secret},
    ):
        Client(HTTP_USER_AGENT="Browser").post(f"{LOGIN}?pw={secret}", data)
        Client().post(TOKEN, data, content_type="application/json")
    for _ in range(10):
        log_in(typed=secret)

    kept = [str(row) for row in AccessAttempt.objects.values_list()]
    assert kept
    for text in (*kept, *(record.getMessage() for record in caplog.records)):
        assert secret not in text
        assert not re.search(r"\bada\b", text), "as a word: a digest of hex may hold the three letters"
        assert "Browser" not in text
    assert not AccessLog.objects.exists()


class Lines(logging.Handler):
    """The log as it is written."""

    def __init__(self):
        super().__init__()
        self.setFormatter(Formatter())
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def log():
    lines = Lines()
    logging.root.addHandler(lines)
    yield lines.lines
    logging.root.removeHandler(lines)


def test_the_log_says_that_somebody_was_locked_out_and_from_where(ada, log):
    guess(11)

    locked = [line for line in log if 'message="Log-in locked"' in line]
    assert len(locked) == 2, "the tenth and the eleventh"
    assert all(f"network={HOME}" in line for line in locked)
    [accounts] = {tuple(re.findall(r"account=(\w+)", line)) for line in log if "Log-in" in line}
    assert accounts, "the same name for the same account"
    assert "AXES" not in "".join(log)


@pytest.mark.django_db(transaction=True)
def test_old_failures_are_forgotten():
    log_in("old")
    let_pass(timedelta(minutes=16))
    tasks.forget_what_is_over.configure().defer(timestamp=0)
    work()

    assert not AccessAttempt.objects.exists()


def test_staff_do_not_see_who_was_locked_out(admin_client):
    assert admin_client.get("/admin/").status_code == 200
    assert admin_client.get("/admin/axes/accessattempt/").status_code == 404
