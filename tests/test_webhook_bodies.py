"""What the webhook makes of odd bodies, all of them signed well unless said otherwise."""

import json

import pytest
from asgiref.testing import ApplicationCommunicator

from project.asgi import application
from shop.models import Outcome, PaymentStatus, StripeEvent
from tests import factories, stripe_events

pytestmark = pytest.mark.django_db

SECRET = "whsec_of_the_tests"
PERSON = "grace.hopper@example.com"


@pytest.fixture(autouse=True)
def _secret(settings):
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


def post(client, body, signature=None):
    signature = stripe_events.signature(body, secret=SECRET) if signature is None else signature
    headers = {"Stripe-Signature": signature}
    return client.post("/stripe-webhook/", body, content_type="application/json", headers=headers)


def event(**fields):
    return json.dumps(stripe_events.event("checkout.session.completed", {"customer_email": PERSON}, **fields))


NOT_EVENTS = {
    "12 empty": "",
    "12 not JSON": f"customer_email={PERSON}",
    "12 JSON and more": event() + "x",
    "13 []": "[]",
    "13 null": "null",
    "13 1": "1",
    "13 a string": f'"{PERSON}"',
    "14 100,000 levels deep": "[" * 100_000 + "]" * 100_000,
    "14 100,000 levels deep and never closed": '{"a":' * 100_000,
    "15 {}": "{}",
    "15 no id": event(id=None),
    "15 an id that is a number": event(id=7),
    "15 an id of 256 characters": event(id="e" * 256),
    "15 no type": event(type=None),
    "15 a time that is text": event(created="now"),
    "15 a time that is true": event(created=True),
    "15 a time before all time": event(created=-1),
    "15 a time after all time": event(created=10**15),
    "15 a mode that is text": event(livemode="false"),
    "15 no data": event(data=None),
    "15 data that is a list": event(data=[]),
    "15 an object that is a list": event(data={"object": []}),
    "16 an id with NUL": event(id="evt_\0"),
    "16 an id with a lone surrogate": event(id="evt_\ud800"),
    "16 a type with NUL": event(type="checkout\0session"),
}


@pytest.mark.parametrize("body", NOT_EVENTS.values(), ids=NOT_EVENTS.keys())
def test_what_is_signed_but_no_event_is_refused(client, caplog, body):
    caplog.set_level("DEBUG")
    response = post(client, body)

    assert response.status_code == 400
    assert not StripeEvent.objects.exists()
    for told in (caplog.text, response.text):
        assert "Traceback" not in told
        assert PERSON not in told


def test_a_body_that_is_not_utf_8_is_refused_11(client):
    response = post(client, b'{"id": "evt_\xff"}', signature=stripe_events.signature("", secret=SECRET))

    assert response.status_code == 400
    assert not StripeEvent.objects.exists()


@pytest.mark.parametrize("size", [1_000_001, 3_000_000])
def test_a_body_over_a_megabyte_is_refused_17(client, caplog, size):
    response = post(client, event(padding="x" * size), signature="t=1,v1=0")

    assert response.status_code == 413
    assert not StripeEvent.objects.exists()
    assert "xxx" not in caplog.text


def test_a_body_of_just_under_a_megabyte_is_taken(client):
    assert post(client, event(padding="x" * 990_000)).status_code == 200


async def test_a_body_over_a_megabyte_that_does_not_say_its_size_is_refused_17():
    request = {
        "type": "http",
        "method": "POST",
        "path": "/stripe-webhook/",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"transfer-encoding", b"chunked")],
    }
    communicator = ApplicationCommunicator(application, request)
    for _ in range(20):
        await communicator.send_input({"type": "http.request", "body": b"x" * 100_000, "more_body": True})
    await communicator.send_input({"type": "http.request", "body": b"", "more_body": False})

    assert (await communicator.receive_output())["status"] == 413
    await communicator.wait()


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options", "trace"])
def test_nothing_but_post_is_answered_18(client, method):
    response = getattr(client, method)("/stripe-webhook/")

    assert response.status_code == 405
    assert response["Allow"] == "POST"


def test_an_event_of_the_other_mode_changes_nothing_and_is_an_alert_19(client, caplog):
    order = factories.order()
    live = stripe_events.completed(order) | {"livemode": True}

    assert post(client, json.dumps(live)).status_code == 200
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PENDING
    assert StripeEvent.objects.get().outcome == Outcome.IGNORED
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_test_event_in_live_mode_changes_nothing_19(client, caplog, settings):
    settings.STRIPE_LIVE_MODE = True
    order = factories.order()

    assert post(client, json.dumps(stripe_events.completed(order))).status_code == 200
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PENDING
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("event_type", ["customer.created", "checkout.session.completed.v2"])
def test_an_event_of_another_type_is_recorded_and_that_is_all_20(client, event_type):
    order = factories.order()
    unknown = stripe_events.event(event_type, stripe_events.session(order))

    assert post(client, json.dumps(unknown)).status_code == 200
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PENDING
    inbox = StripeEvent.objects.get()
    assert (inbox.type, inbox.outcome, inbox.order) == (event_type, Outcome.IGNORED, None)


def test_the_inbox_keeps_the_body_as_stripe_signed_it(client):
    body = event(odd="\0 \ud800 é 🔔")

    assert post(client, body).status_code == 200
    assert StripeEvent.objects.get().payload == body


ODD_SESSIONS = {
    "nothing": {},
    "no order of ours": {"client_reference_id": "not-a-uuid", "status": "complete"},
    "a number for an order": {"client_reference_id": 7, "status": "complete"},
    "NUL for an order": {"client_reference_id": "\0", "status": "complete"},
    "lists everywhere": {"client_reference_id": [], "status": [], "customer_details": [], "amount_total": []},
}


@pytest.mark.parametrize("session", ODD_SESSIONS.values(), ids=ODD_SESSIONS.keys())
def test_a_session_that_says_nothing_sensible_matches_no_order(client, session):
    odd = json.dumps(stripe_events.event("checkout.session.completed", session))

    assert post(client, odd).status_code == 200
    assert StripeEvent.objects.get().outcome == Outcome.UNMATCHED


ODD_FIELDS = {
    "no e-mail": {"customer_details": None},
    "details that are text": {"customer_details": "Ada"},
    "an e-mail with NUL": {"customer_details": {"email": "a\0@example.com"}},
    "an e-mail with a lone surrogate": {"customer_details": {"email": "a\ud800@example.com"}},
    "an endless e-mail": {"customer_details": {"email": "a" * 1000 + "@example.com"}},
    "no payment intent": {"payment_intent": None},
}


@pytest.mark.parametrize("fields", ODD_FIELDS.values(), ids=ODD_FIELDS.keys())
def test_an_odd_field_does_not_keep_a_payment_from_its_order(client, fields):
    order = factories.order()

    assert post(client, json.dumps(stripe_events.completed(order, **fields))).status_code == 200
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID
