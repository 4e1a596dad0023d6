"""How often one caller may ask, and what happens to the counting without Redis."""

import os
import pickle
import socket
import subprocess
import sys

import pytest
from django.core.cache import caches
from django.test import Client
from redis import Redis
from rest_framework.throttling import SimpleRateThrottle

from shop.api import throttling
from shop.api.throttling import Counted
from tests import factories

pytestmark = pytest.mark.django_db

PRODUCTS, ORDERS, TOKEN = "/api/v1/products/", "/api/v1/orders/", "/api/v1/token/"


@pytest.fixture
def limit(monkeypatch):
    """Set rates, for what comes from addresses that no other test uses."""
    caches["throttles"].clear()
    caches["default"].clear()

    def at(**rates):
        for scope, rate in rates.items():
            monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, rate)

    return at


def statuses(client, path, times, **headers):
    return [client.get(path, headers=headers).status_code for _ in range(times)]


def test_who_asks_too_often_is_told_when_to_come_back(limit, client):
    limit(anon="3/min")

    assert statuses(client, PRODUCTS, 3) == [200] * 3
    response = client.get(PRODUCTS)
    assert (response.status_code, response["Content-Type"]) == (429, "application/problem+json")
    assert 0 < int(response["Retry-After"]) <= 60


def test_an_account_of_ones_own_is_no_licence_to_guess_other_peoples_passwords(limit):
    limit(token="2/min", user="100/min", anon="100/min")
    guesses = []
    for _ in range(3):
        client = Client()
        client.force_login(factories.user())
        guess = {"username": "ada", "password": "wrong"}
        guesses.append(client.post(TOKEN, guess, content_type="application/json").status_code)
    assert guesses == [400, 400, 429]


def test_everybody_is_counted_by_herself(limit):
    limit(anon="1/min", user="2/min")
    user, other = Client(), Client()
    user.force_login(factories.user())
    other.force_login(factories.user())

    assert statuses(Client(), PRODUCTS, 2) == [200, 429]
    assert statuses(Client(REMOTE_ADDR="10.0.0.2"), PRODUCTS, 2) == [200, 429]
    assert statuses(user, PRODUCTS, 3) == [200, 200, 429]
    assert statuses(other, PRODUCTS, 1) == [200]


def test_an_address_that_the_caller_makes_up_does_not_count(limit, client):
    limit(anon="1/min")

    assert statuses(client, PRODUCTS, 1, **{"x-forwarded-for": "10.0.0.3"}) == [200]
    assert statuses(client, PRODUCTS, 1, **{"x-forwarded-for": "10.0.0.4"}) == [429]


def test_another_address_of_the_same_network_is_no_way_around_it(limit):
    limit(anon="1/min")

    assert statuses(Client(REMOTE_ADDR="2001:db8::1"), PRODUCTS, 1) == [200]
    assert statuses(Client(REMOTE_ADDR="2001:db8::2"), PRODUCTS, 1) == [429]
    assert statuses(Client(REMOTE_ADDR="2001:db8:0:1::1"), PRODUCTS, 1) == [200]


def test_asking_for_tokens_has_a_rate_of_its_own(limit, client):
    limit(token="2/min")
    post = {"content_type": "application/json"}

    assert [client.post(TOKEN, {}, **post).status_code for _ in range(3)] == [400, 400, 429]
    assert statuses(client, PRODUCTS, 5) == [200] * 5


def test_the_count_is_one_for_all_processes(limit, client, settings):
    limit(anon="9/min")
    client.get(PRODUCTS)

    redis = Redis.from_url(settings.CACHES["throttles"]["LOCATION"])
    assert [key for key in redis.scan_iter() if b"throttle_anon_127.0.0.1" in key]


class Nobody:
    """A port on which somebody listens who never says anything."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        return self.socket.getsockname()[1]

    def __exit__(self, *failure):
        self.socket.close()


def redis_at(port, settings, monkeypatch):
    settings.CACHES = {
        **settings.CACHES,
        "throttles": settings.CACHES["throttles"] | {"LOCATION": f"redis://127.0.0.1:{port}"},
    }
    monkeypatch.setattr(Counted, "cache", caches["throttles"])
    monkeypatch.setattr(Counted, "away_until", 0.0)


@pytest.mark.parametrize("trouble", ["gone", "silent"])
def test_without_redis_the_api_answers_and_each_process_counts_for_itself(
    limit, client, settings, monkeypatch, caplog, trouble
):
    limit(anon="2/min")
    with Nobody() as port:
        redis_at(port if trouble == "silent" else 1, settings, monkeypatch)

        assert statuses(client, PRODUCTS, 3) == [200, 200, 429]
    assert caplog.text.count("counted by each process for itself") == 1, "and is not asked again each time"


class Bomb:
    """What pickle would run when it reads it back."""

    def __reduce__(self):
        return (os.mkdir, (os.environ["BOMB"],))


@pytest.mark.parametrize(
    "planted", [lambda: pickle.dumps(Bomb()), lambda: b"[[]]", lambda: b"{}", lambda: b"[" * 100_000]
)
def test_who_can_write_to_redis_runs_no_code_here(limit, client, settings, monkeypatch, tmp_path, planted):
    """Nor breaks anything: what is no history is none."""
    limit(anon="2/min")
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    assert statuses(client, PRODUCTS, 1) == [200]
    redis = Redis.from_url(settings.CACHES["throttles"]["LOCATION"])
    [key] = redis.keys(f"{settings.CACHES['throttles']['KEY_PREFIX']}:*throttle*")
    redis.set(key, planted())

    assert statuses(client, PRODUCTS, 3) == [200, 200, 429]
    assert not (tmp_path / "exploded").exists()


def test_a_redis_that_is_back_counts_again(limit, client, settings, monkeypatch):
    limit(anon="9/min")
    monkeypatch.setattr(throttling, "TRY_AGAIN", 0)
    with monkeypatch.context() as while_it_is_away:
        redis_at(1, settings, while_it_is_away)
        client.get(PRODUCTS)

    client.get(PRODUCTS)
    assert len(Counted.cache.get("throttle_anon_127.0.0.1")) == 1


@pytest.mark.parametrize("rate", ["fast", "30", "30/fortnight", "-1/min", "0/min"])
def test_a_shop_does_not_start_with_a_rate_that_is_none(rate):
    start = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=os.environ | {"CHECKOUT_RATE": rate},
        capture_output=True,
        text=True,
        check=False,
    )
    assert start.returncode != 0
    assert "CHECKOUT_RATE must look like 30/min" in start.stderr
