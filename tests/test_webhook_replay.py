"""Webhooks come twice, late, in any order, or for an order that has moved on."""

from functools import partial

import pytest
from django.db import connection
from django.test import Client

from shop.models import OrderChange, Outcome, PaymentStatus, StripeEvent
from tests import factories, stripe_events
from tests.stripe_events import completed, expired

pytestmark = pytest.mark.django_db


def outcome_of(event):
    return StripeEvent.objects.get(pk=event["id"]).outcome


# --- again and again ------------------------------------------------------------------------------


def test_the_same_event_again_changes_nothing(deliver, order, state):
    event = completed(order)
    for _ in range(3):
        assert deliver(event).status_code == 200

    assert state() == (PaymentStatus.PAID, 2, 3, 0)
    inbox = StripeEvent.objects.get()
    assert (inbox.outcome, inbox.attempts, inbox.order) == (Outcome.APPLIED, 3, order)


@pytest.mark.django_db(transaction=True)
def test_the_same_event_ten_times_at_once_pays_the_order_once_23(at_once, order, state):
    body, headers = stripe_events.signed(completed(order))

    def post():
        return Client().post("/stripe-webhook/", body, content_type="application/json", headers=headers)

    assert [response.status_code for response in at_once([post] * 10)] == [200] * 10
    assert state() == (PaymentStatus.PAID, 2, 3, 0)
    assert OrderChange.objects.filter(order=order).count() == 2
    assert StripeEvent.objects.get().attempts == 10


@pytest.mark.django_db(transaction=True)
def test_ten_events_that_say_the_same_at_once_pay_the_order_once(at_once, order, state):
    def post(event):
        body, headers = stripe_events.signed(event)
        return Client().post("/stripe-webhook/", body, content_type="application/json", headers=headers)

    responses = at_once([partial(post, completed(order)) for _ in range(10)])

    assert [response.status_code for response in responses] == [200] * 10
    assert state() == (PaymentStatus.PAID, 2, 3, 0)
    outcomes = sorted(StripeEvent.objects.values_list("outcome", flat=True))
    assert outcomes == [Outcome.APPLIED] + [Outcome.IGNORED] * 9


def test_another_event_that_says_the_same_is_ignored(deliver, order, state):
    first, second = completed(order), completed(order)
    deliver(first)
    assert deliver(second).status_code == 200

    assert state() == (PaymentStatus.PAID, 2, 3, 0)
    assert (outcome_of(first), outcome_of(second)) == (Outcome.APPLIED, Outcome.IGNORED)


def test_an_event_that_was_read_keeps_its_outcome_whatever_a_replay_says(deliver, order, state):
    event = expired(order)
    deliver(event)
    deliver(event | {"data": {"object": stripe_events.session(order)}})

    assert state() == (PaymentStatus.EXPIRED, 2, 5, 0)


# --- whose? -----------------------------------------------------------------------------------------


def test_a_payment_of_an_unknown_order_is_an_alert_and_is_applied_once_the_order_is_there_21(
    deliver, caplog, order
):
    event = completed(order, client_reference_id="00000000-0000-4000-8000-000000000000")
    assert deliver(event).status_code == 200
    assert outcome_of(event) == Outcome.UNMATCHED
    assert [record.levelname for record in caplog.records] == ["ERROR"]

    order.public_id = "00000000-0000-4000-8000-000000000000"
    order.save(update_fields=["public_id"])
    assert deliver(event).status_code == 200
    assert outcome_of(event) == Outcome.APPLIED
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID


DIFFERENT = {
    "less": {"amount_total": 2499},
    "more": {"amount_total": 2501},
    "nothing": {"amount_total": 0},
    "no amount": {"amount_total": None},
    "text": {"amount_total": "2500"},
    "another currency": {"currency": "usd"},
    "no currency": {"currency": None},
}


@pytest.mark.parametrize("fields", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_a_payment_of_another_amount_holds_the_order_for_staff_22(deliver, caplog, order, state, fields):
    event = completed(order, **fields)
    assert deliver(event).status_code == 200

    assert state() == (PaymentStatus.PENDING, 2, 5, 2)
    assert "amount or currency" in order.needs_attention
    assert outcome_of(event) == Outcome.HELD
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "ada@example.com" not in caplog.text


def test_a_second_payment_of_a_paid_order_is_for_staff_to_give_back(deliver, caplog, order, state):
    deliver(completed(order))
    twice = completed(order, id="cs_test_other", payment_intent="pi_other")
    assert deliver(twice).status_code == 200

    assert state() == (PaymentStatus.PAID, 3, 3, 0)
    assert "Paid twice" in order.needs_attention
    assert order.payment_intent_id == f"pi_{order.public_id.hex}"
    assert outcome_of(twice) == Outcome.HELD
    assert [record.levelname for record in caplog.records] == ["ERROR"]


# --- out of order ---------------------------------------------------------------------------------


def test_an_expiry_frees_the_stock(deliver, order, state):
    assert deliver(expired(order)).status_code == 200
    assert state() == (PaymentStatus.EXPIRED, 2, 5, 0)


def test_an_expiry_after_the_payment_is_ignored_24(deliver, order, state):
    late = expired(order)
    deliver(completed(order))
    assert deliver(late).status_code == 200

    assert state() == (PaymentStatus.PAID, 2, 3, 0)
    assert outcome_of(late) == Outcome.IGNORED


def test_a_payment_after_the_expiry_takes_the_stock_if_it_is_there_24(deliver, order, state):
    deliver(expired(order))
    assert deliver(completed(order)).status_code == 200

    assert state() == (PaymentStatus.PAID, 3, 3, 0)
    assert order.needs_attention == ""


def test_a_payment_after_the_expiry_is_kept_and_flagged_if_the_stock_is_gone_24(deliver, bell, order, state):
    deliver(expired(order))
    rival = factories.order(None, (bell, 4))
    assert deliver(completed(order)).status_code == 200

    # The rival keeps her units: nothing is taken from anybody.
    assert state() == (PaymentStatus.PAID, 4, 5, 4)
    assert "no longer in stock" in order.needs_attention
    assert order.paid_at is not None
    deliver(completed(rival))
    assert state() == (PaymentStatus.PAID, 4, 1, 0)


def test_word_of_a_payment_after_the_expiry_waits_for_the_money_itself_24(deliver, order, state):
    """A delayed debit: its units were let go, so nothing is held until the money decides."""
    deliver(expired(order))
    assert deliver(completed(order, payment_status="unpaid")).status_code == 200
    assert state() == (PaymentStatus.EXPIRED, 2, 5, 0)

    assert deliver(completed(order)).status_code == 200
    assert state() == (PaymentStatus.PAID, 3, 3, 0)


def test_the_end_of_another_session_of_the_same_order_is_not_the_orders_end(deliver, order, state):
    order.checkout.attach_session("cs_test_ours")
    foreign = expired(order, id="cs_test_that_nobody_saw")
    assert deliver(foreign).status_code == 200

    assert state() == (PaymentStatus.PENDING, 1, 5, 2)
    assert outcome_of(foreign) == Outcome.IGNORED


def test_an_expiry_of_the_session_whose_id_was_never_saved_ends_the_order(deliver, order, state):
    assert order.stripe_session_id is None
    deliver(expired(order))
    assert state() == (PaymentStatus.EXPIRED, 2, 5, 0)


def test_a_session_that_is_complete_but_unpaid_waits_for_the_money(deliver, order, state):
    assert deliver(completed(order, payment_status="unpaid")).status_code == 200
    assert state() == (PaymentStatus.PROCESSING, 2, 5, 2)

    assert deliver(completed(order)).status_code == 200
    assert state() == (PaymentStatus.PAID, 3, 3, 0)


# --- what could not be recorded -------------------------------------------------------------------


@pytest.fixture
def obstacle(order):
    """The database refuses every change of an order, until it is taken away."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'no change today'; END $$;
            CREATE TRIGGER obstacle BEFORE UPDATE ON shop_order
            FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
            """
        )

    def take_away():
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER obstacle ON shop_order")

    return take_away


def test_an_event_that_could_not_be_applied_is_kept_as_failed_and_a_500_so_that_stripe_comes_back(
    client, deliver, order, obstacle, state
):
    client.raise_request_exception = False
    event = completed(order)

    response = deliver(event)
    assert response.status_code == 500
    assert "Traceback" not in response.text
    assert state() == (PaymentStatus.PENDING, 1, 5, 2)
    kept = StripeEvent.objects.get()
    assert (kept.id, kept.outcome, kept.tries) == (event["id"], Outcome.FAILED, 1)
    assert kept.error
    assert "ada@example.com" not in kept.error
    assert kept.retry_at

    obstacle()
    assert deliver(event).status_code == 200
    assert state() == (PaymentStatus.PAID, 2, 3, 0)
    assert outcome_of(event) == Outcome.APPLIED


@pytest.mark.django_db(transaction=True)
def test_a_payment_and_an_expiry_at_the_same_moment_leave_one_paid_order(at_once, order, state):
    def post(event):
        body, headers = stripe_events.signed(event)
        return Client().post("/stripe-webhook/", body, content_type="application/json", headers=headers)

    events = [completed(order), expired(order)] * 4
    assert [r.status_code for r in at_once([partial(post, event) for event in events])] == [200] * 8

    status, _version, stock, held = state()
    assert (status, stock, held) == (PaymentStatus.PAID, 3, 0)
    versions = list(OrderChange.objects.filter(order=order).values_list("version", flat=True))
    assert versions == list(range(1, len(versions) + 1))
