"""Fixtures that more than one behaviour needs. Services come from `python -m sandbox services -- pytest`."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import stripe as sdk
from asgiref.sync import SyncToAsync
from django.contrib.auth.models import User
from django.db import connections
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.test import Client
from rest_framework.throttling import SimpleRateThrottle

from realtime import sweep
from shop import flight
from shop.models import Order, Product, Source
from shop.rights import VIEW_PAYMENTS
from shop.signals import webhooks_recorded
from tests import factories, stripe_events
from tests.bad_line import BadLine, bad_line
from tests.local_stripe import KEY, LocalStripe, free_port
from tests.stack import Stack


@receiver(connection_created)
def _no_hurry(connection: Any, **kwargs: Any) -> None:
    """The shop's statements have 5 s. Making and dropping the database of the tests may take longer, beside
    other work on a slow disk.
    """
    if connection.alias == NO_DB_ALIAS:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """pytest-django's own; also closes what the thread of all async tests holds open to the database."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _no_throttles(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """All tests call the shop and its API from one address."""
    settings.LIMITS = dict.fromkeys(settings.LIMITS)
    for scope in SimpleRateThrottle.THROTTLE_RATES:
        monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, None)


@pytest.fixture(autouse=True)
def _no_recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is written beside the webhooks is written in tests that are about it, not in others."""
    recorder = flight.Recorder(interval=3600)
    monkeypatch.setattr(flight, "recorder", recorder)
    yield
    recorder.close()


@pytest.fixture
def shopper() -> Client:
    """A browser that has not been here before; factories.shopper_of names its guest after the first visit."""
    return Client()


@pytest.fixture
def shopper_is_here(db: None, shopper: Client) -> None:
    """She has opened the shop page, and is a guest."""
    shopper.get("/")


@pytest.fixture
def boss(db: None) -> User:
    """May everything."""
    return factories.staff(username="boss")


@pytest.fixture
def staff(boss: User) -> Client:
    """A browser of somebody who may everything."""
    return factories.browser_of(boss)


@pytest.fixture
def viewer(db: None) -> User:
    """May look at payments, and no more."""
    return factories.staff(VIEW_PAYMENTS, username="viewer")


@pytest.fixture
def bell() -> Product:
    """Five in the house."""
    return factories.product(stock=5)


@pytest.fixture
def order(bell: Product) -> Order:
    """Two of them, to be paid."""
    return factories.order(None, (bell, 2))


@pytest.fixture
def order_is_paid(order: Order) -> None:
    """By a webhook; its units are taken."""
    order.mark_paid(payment_intent_id=f"pi_{order.pk}", email="ada@example.com", source=Source.WEBHOOK)


@pytest.fixture
def state(order: Order, bell: Product) -> Callable[[], tuple[str, int, int | None, int]]:
    """What the database says of the order and its stock: payment status, version, stock, held."""

    def read() -> tuple[str, int, int | None, int]:
        order.refresh_from_db()
        bell.refresh_from_db()
        return (order.payment_status, order.version, bell.stock, bell.held)

    return read


@pytest.fixture
def deliver(client: Client) -> Callable[..., Any]:
    """Deliver an event as Stripe does: signed, by POST."""

    def post(event: dict[str, Any], **how: Any) -> Any:
        body, headers = stripe_events.signed(event, **how)
        return client.post("/stripe-webhook/", body, content_type="application/json", headers=headers)

    return post


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often the flight recorder wrote and told of it. It writes at once here."""
    recorder, times = flight.Recorder(interval=0.01), list[int]()
    monkeypatch.setattr(flight, "recorder", recorder)

    def listener(**kwargs: Any) -> None:
        times.append(1)

    webhooks_recorded.connect(listener)
    yield times
    webhooks_recorded.disconnect(listener)
    recorder.close()


@pytest.fixture
def at_once() -> Callable[[list[Callable[[], Any]]], list[Any]]:
    """Call them all at the same moment, each on a thread of its own; returns what they returned, in order.

    Wants `django_db(transaction=True)`: a thread has a database connection of its own.
    """

    def run(calls: list[Callable[[], Any]]) -> list[Any]:
        start = threading.Barrier(len(calls))

        def one(call: Callable[[], Any]) -> Any:
            try:
                start.wait(10)
                return call()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(one, calls))

    return run


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole shop, running."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def no_traceback(stack: Stack) -> Iterator[None]:
    """Whatever is sent to it, the web process is never surprised."""
    before = stack.daphne.log.stat().st_size
    yield
    assert "Traceback" not in stack.daphne.log.read_text()[before:]


@pytest.fixture(scope="session")
def local_stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    """The local Stripe, which delivers no webhooks: tests do that themselves, or do not."""
    with LocalStripe(tmp_path_factory.mktemp("stripe")) as local:
        yield local


@pytest.fixture
def stripe(local_stripe: LocalStripe, settings: Any) -> LocalStripe:
    """The local Stripe, with the shop talking to it."""
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = local_stripe.url, KEY
    return local_stripe


@pytest.fixture
def unheard(tmp_path: Path, settings: Any) -> Iterator[LocalStripe]:
    """A local Stripe whose webhooks reach nobody, with the shop talking to it."""
    hook = f"http://127.0.0.1:{free_port()}/stripe-webhook/|{settings.STRIPE_WEBHOOK_SECRETS[0]}"
    with LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=hook, SANDBOX_STRIPE_DEBIT_SECONDS="0") as local:
        settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = local.url, KEY
        yield local


@pytest.fixture
def line(stripe: LocalStripe, settings: Any) -> Iterator[BadLine]:
    """The same, with a bad line in between."""
    with bad_line(stripe) as line:
        settings.STRIPE_API_BASE = line.url
        yield line


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses before it tries again: as they are, they would be most of the time of a test."""
    monkeypatch.setattr(sdk.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(sdk.HTTPClient, "MAX_DELAY", 0.02)


@pytest.fixture
def quick_patrols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty patrols a second instead of one in 5 s, and a word to every page after each."""
    monkeypatch.setattr(sweep, "INTERVAL", 0.05)
    monkeypatch.setattr(sweep, "HEARTBEAT", 1)


@pytest.fixture
def no_patrols(monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives now was hurried, or greeted with."""
    monkeypatch.setattr(sweep, "INTERVAL", 3600)
