"""The webhook's own door, which is the one that Stripe comes by: it answers as the view behind it does."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import connection

from project.asgi import application
from shop.models import Order, Outcome, PaymentStatus, StripeEvent
from tests import factories, stripe_events
from tests.test_webhook_bodies import NOT_EVENTS
from tests.test_webhook_signature import BAD, SECRET

GOOD = stripe_events.event("checkout.session.completed", {"customer_email": "grace.hopper@example.com"})


@pytest.fixture(autouse=True)
def _secret(settings):
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


def request(*headers: tuple[bytes, bytes], method: str = "POST") -> ApplicationCommunicator:
    scope = {"type": "http", "method": method, "path": "/stripe-webhook/", "query_string": b""}
    return ApplicationCommunicator(application, {**scope, "headers": [(b"host", b"127.0.0.1"), *headers]})


async def post(body: str | bytes, signature: str | None) -> tuple[int, str]:
    """Status and text of the answer."""
    headers = [] if signature is None else [(b"stripe-signature", signature.encode("latin-1"))]
    stripe = request(*headers)
    await stripe.send_input(
        {"type": "http.request", "body": body.encode() if isinstance(body, str) else body}
    )
    return await answer(stripe)


async def answer(stripe: ApplicationCommunicator) -> tuple[int, str]:
    start = await stripe.receive_output(timeout=10)
    text = (await stripe.receive_output(timeout=10)).get("body", b"")
    await stripe.wait()
    return start["status"], text.decode()


# What is refused is refused before the database is asked: these tests have none.


@pytest.mark.parametrize("signature", BAD.values(), ids=BAD.keys())
async def test_a_bad_signature_is_refused(caplog, signature):
    caplog.set_level("DEBUG")
    body, _headers = stripe_events.signed(GOOD)
    header = signature(body)
    status, text = await post(body, header)

    assert status == 400
    for told in (caplog.text, text):
        assert SECRET not in told
        assert "grace.hopper" not in told
        assert "Traceback" not in told
        assert not header or header not in told


@pytest.mark.parametrize("body", NOT_EVENTS.values(), ids=NOT_EVENTS.keys())
async def test_what_is_no_event_is_refused(caplog, body):
    status, _text = await post(body, stripe_events.signature(body, secret=SECRET))

    assert status == 400
    assert "Traceback" not in caplog.text


async def test_a_body_that_is_not_utf_8_is_refused():
    assert (await post(b"\xff", stripe_events.signature("", secret=SECRET)))[0] == 400


async def test_a_body_over_a_megabyte_is_refused_before_its_end_17():
    stripe = request()
    for _ in range(11):
        await stripe.send_input({"type": "http.request", "body": b"x" * 100_000, "more_body": True})

    assert (await answer(stripe))[0] == 413


async def test_who_leaves_in_mid_sentence_gets_no_answer():
    stripe = request()
    await stripe.send_input({"type": "http.request", "body": b"{", "more_body": True})
    await stripe.send_input({"type": "http.disconnect"})

    await stripe.wait()
    assert await stripe.receive_nothing()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_nothing_but_post_is_answered_18(method):
    other = request(method=method)
    await other.send_input({"type": "http.request", "body": b""})

    assert (await answer(other))[0] == 405


# --- with a database, which the door asks on threads of its own ---------------------------------------


async def deliver(events: Iterable[dict[str, Any]]) -> list[int]:
    """Deliver them all at once; returns the statuses."""
    letters = [stripe_events.signed(event) for event in events]
    posts = [post(body, headers["Stripe-Signature"]) for body, headers in letters]
    return [status for status, _text in await asyncio.gather(*posts)]


def state(order: Order) -> tuple[str, int, int | None, int]:
    """Its payment status, its version, and its product's stock and holds."""
    order = Order.objects.get(pk=order.pk)
    product = order.lines.get().product
    return order.payment_status, order.version, product.stock, product.held


@pytest.mark.django_db(transaction=True)
async def test_the_same_event_fifty_times_at_once_pays_the_order_once_23():
    order = await sync_to_async(factories.order)()

    assert await deliver([stripe_events.completed(order)] * 50) == [200] * 50
    assert await sync_to_async(state)(order) == (PaymentStatus.PAID, 2, 8, 0)
    assert (await StripeEvent.objects.aget()).attempts == 50


@pytest.mark.django_db(transaction=True)
async def test_two_payments_of_one_order_at_once_are_noticed():
    order = await sync_to_async(factories.order)()
    twice = [stripe_events.completed(order, payment_intent=f"pi_{number}") for number in range(2)]

    assert await deliver(twice) == [200, 200]
    assert await sync_to_async(state)(order) == (PaymentStatus.PAID, 3, 8, 0)
    await order.arefresh_from_db()
    assert "Paid twice" in order.needs_attention


@pytest.mark.django_db(transaction=True)
async def test_what_could_not_be_recorded_is_a_500_and_works_when_it_comes_again(caplog):
    order = await sync_to_async(factories.order)()
    event = stripe_events.completed(order)
    await sync_to_async(run)(
        """
        CREATE FUNCTION refuse_changes() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'no change today'; END $$;
        CREATE TRIGGER obstacle BEFORE UPDATE ON shop_order FOR EACH ROW EXECUTE FUNCTION refuse_changes();
        """
    )
    try:
        body, headers = stripe_events.signed(event)
        status, text = await post(body, headers["Stripe-Signature"])
    finally:
        await sync_to_async(run)("DROP FUNCTION refuse_changes CASCADE")

    assert status == 500
    assert "no change today" not in text
    for told in (text, caplog.text):
        assert "ada@example.com" not in told
        assert headers["Stripe-Signature"] not in told
    assert (await StripeEvent.objects.aget()).outcome == Outcome.FAILED
    assert await sync_to_async(state)(order) == (PaymentStatus.PENDING, 1, 10, 2)

    assert await deliver([event]) == [200]
    assert await sync_to_async(state)(order) == (PaymentStatus.PAID, 2, 8, 0)


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
