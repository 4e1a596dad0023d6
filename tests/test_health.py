"""/healthz and /readyz: whether the shop serves, and whether what it needs is there."""

import socket

import pytest
from django.db import OperationalError, connection

pytestmark = pytest.mark.django_db


def test_it_says_that_it_serves_without_asking_anybody(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert (response.status_code, response.text) == (200, "ok\n")


def test_it_is_ready_when_the_database_answers(client):
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"database": "ok", "redis": "ok"}


@pytest.fixture
def silent_port():
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("redis", ["gone", "frozen"])
def test_without_redis_it_is_degraded_and_ready(client, settings, silent_port, redis):
    port = silent_port if redis == "frozen" else 1
    layer = settings.CHANNEL_LAYERS["default"]
    hosts = [{**layer["CONFIG"]["hosts"][0], "address": f"redis://127.0.0.1:{port}"}]
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": {**layer["CONFIG"], "hosts": hosts}}}
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"database": "ok", "redis": "degraded"}


def test_without_the_database_it_is_not_ready(client):
    def down(*args):
        raise OperationalError("the database is down")

    with connection.execute_wrapper(down):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"] == "down"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_asked_without_becoming_anybody(client, path):
    assert client.get(path).cookies == {}
    assert client.post(path).status_code == 405
