"""What the flight recorder writes beside the webhooks: how fast each went through, and what was refused."""

import threading
from contextlib import contextmanager

import pytest
from django.db import InterfaceError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from shop import flight
from shop.models import Outcome, RefusedDelivery, StripeEvent
from shop.signals import webhooks_recorded
from tests import factories, stripe_events
from tests.local_stripe import eventually
from tests.recorder import kept, measured
from tests.stripe_events import completed, event, signed

# --- what is measured ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_payment_is_measured_from_its_receipt_to_the_commit_and_to_the_pages(deliver, told):
    paid = completed(factories.order())
    deliver(paid)

    row = eventually(lambda: measured(paid))
    assert 0 < row.commit_seconds < 30
    assert 0 < row.push_seconds < 30
    assert eventually(lambda: told)


@pytest.mark.django_db(transaction=True)
def test_what_failed_is_measured_too(client, deliver, told):
    client.raise_request_exception = False
    odd = event("refund.updated", stripe_events.refund(factories.paid_order(), 500, status="evaporated"))

    assert deliver(odd).status_code == 500
    assert eventually(lambda: measured(odd)).outcome == Outcome.FAILED


@pytest.mark.django_db(transaction=True)
def test_a_repeated_delivery_is_told_of_and_leaves_the_figures_of_the_first(deliver, told):
    paid = completed(factories.order())
    deliver(paid)
    first = eventually(lambda: measured(paid))
    said = len(eventually(lambda: told))
    deliver(paid)

    eventually(lambda: len(told) > said)
    again = kept(paid)
    assert (again.commit_seconds, again.push_seconds) == (first.commit_seconds, first.push_seconds)
    assert again.attempts == 2
    assert again.last_received_at > first.last_received_at
    assert again.received_at == first.received_at


@pytest.mark.django_db(transaction=True)
def test_a_rush_of_payments_is_written_by_one_statement(deliver, monkeypatch):
    recorder = flight.Recorder(interval=3)  # a busy machine has to deliver five within it
    monkeypatch.setattr(flight, "recorder", recorder)
    writes = []
    events = [completed(factories.order()) for _ in range(5)]
    webhooks_recorded.connect(count := lambda **kwargs: writes.append(1))
    try:
        for paid in events:
            deliver(paid)
        eventually(lambda: all(measured(paid) for paid in events) and writes)
        deliver(last := completed(factories.order()))
        eventually(lambda: measured(last) and len(writes) > 1)
    finally:
        webhooks_recorded.disconnect(count)
        recorder.close()
    assert len(writes) == 2, "one for the rush, one for what came after it"


# --- while the database has trouble --------------------------------------------------------------------


@contextmanager
def no_figures_today():
    """The database refuses them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION refuse_figures() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'no figures today'; END $$;
            CREATE TRIGGER obstacle BEFORE UPDATE OF commit_seconds ON shop_stripeevent
            FOR EACH ROW EXECUTE FUNCTION refuse_figures();
            """
        )
        yield
        cursor.execute("DROP FUNCTION refuse_figures CASCADE")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_take_the_figures_costs_only_them(deliver, told, caplog):
    paid = completed(factories.order())
    deliver(paid)
    eventually(lambda: measured(paid))
    with no_figures_today():
        second = completed(factories.order())
        assert deliver(second).status_code == 200
        eventually(lambda: "not measured" in caplog.text)
    third = completed(factories.order())
    deliver(third)

    assert eventually(lambda: measured(third))
    assert kept(second).outcome == Outcome.APPLIED


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_connection_that_cannot_even_be_closed_does_not_silence_it_for_ever(client, told, monkeypatch):
    with monkeypatch.context() as patch:
        tried = []

        def close(self):
            tried.append(1)
            raise InterfaceError("the connection is closed")

        patch.setattr(BaseDatabaseWrapper, "close", close)
        refuse(client)
        eventually(lambda: tried and not writers())
    refuse(client)

    assert eventually(lambda: RefusedDelivery.objects.filter(count=2))


@contextmanager
def table_in_use(table):
    """Whoever wants to write into it waits."""
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table}")
    try:
        yield
    finally:
        other.close()


def writes_waiting():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE '%%INSERT INTO shop_refuseddelivery%%'"
        )
        return cursor.fetchone()[0]


def writers():
    return sum(isinstance(thread, threading.Timer) for thread in threading.enumerate())


@pytest.mark.django_db(transaction=True)
def test_while_the_database_stalls_one_write_waits_and_the_others_gather(client, told):
    with table_in_use("shop_refuseddelivery"):
        refuse(client)
        eventually(writes_waiting)
        refuse(client)
        refuse(client)
        assert writers() == 1

    assert eventually(lambda: RefusedDelivery.objects.filter(count=3))
    assert eventually(lambda: len(told) == 2)


@pytest.mark.django_db(transaction=True)
def test_what_gathers_has_its_limit_and_the_log_says_how_many_are_lost(
    client, deliver, told, monkeypatch, caplog
):
    monkeypatch.setattr(flight, "MOST_FLIGHTS", 2)
    events = [completed(factories.order()) for _ in range(5)]
    with table_in_use("shop_refuseddelivery"):
        refuse(client)
        eventually(writes_waiting)
        for paid in events:
            deliver(paid)

    assert eventually(lambda: measured(events[0]) and measured(events[1]))
    assert eventually(lambda: "3 webhooks are not measured: too many" in caplog.text)
    assert not any(measured(paid) for paid in events[2:])


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_written_is_counted_in_the_log(client, deliver, told, caplog):
    with table_in_use("shop_refuseddelivery"):
        refuse(client)
        eventually(writes_waiting)
        refuse(client)
        refuse(client)
        deliver(paid := completed(factories.order()))
        with no_figures_today():
            end_writes()
            eventually(lambda: "1 webhooks are not measured, 2 refused ones not counted" in caplog.text)

    assert "0 webhooks are not measured, 1 refused ones not counted" in caplog.text
    assert not RefusedDelivery.objects.exists()
    assert not measured(paid)


def end_writes():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE '%%INSERT INTO shop_refuseddelivery%%'"
        )


# --- what is refused -----------------------------------------------------------------------------------


def refuse(client, body="{}", **how):
    text, headers = signed(event("some.thing", {}), **how)
    return client.post("/stripe-webhook/", body or text, content_type="application/json", headers=headers)


@pytest.mark.django_db(transaction=True)
def test_refused_deliveries_are_counted_by_reason_and_hour(client, told, caplog):
    for _ in range(3):
        refuse(client)
    refuse(client, body="", at=1_000_000_000)

    def counts():
        return dict(RefusedDelivery.objects.values_list("reason", "count"))

    expected = {"The signature does not match.": 3, "The signature is too old.": 1}
    assert eventually(lambda: counts() == expected)
    assert {row.hour.minute for row in RefusedDelivery.objects.all()} == {0}

    refuse(client)
    assert eventually(lambda: counts() == {**expected, "The signature does not match.": 4})
    assert not StripeEvent.objects.exists()
