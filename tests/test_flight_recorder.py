"""The flight recorder: what was delivered, how fast it went through, and what was refused."""

from contextlib import contextmanager

import pytest
from django.db import connection

from shop import flight
from shop.models import Outcome, RefusedDelivery, StripeEvent
from shop.signals import webhooks_recorded
from tests import factories, stripe_events
from tests.local_stripe import eventually
from tests.stripe_events import completed, event, signed

HTMX = {"HX-Request": "true"}
RECORDER = "/dashboard/webhooks/"


@pytest.fixture
def told(monkeypatch):
    """How often the recorder wrote and told of it. It writes at once here."""
    recorder, times = flight.Recorder(interval=0.01), []
    monkeypatch.setattr(flight, "recorder", recorder)

    def listener(**kwargs):
        times.append(1)

    webhooks_recorded.connect(listener)
    yield times
    webhooks_recorded.disconnect(listener)
    recorder.close()


def kept(event):
    return StripeEvent.objects.get(pk=event["id"])


def measured(event):
    row = kept(event)
    return row if row.commit_seconds is not None else None


# --- what is measured -----------------------------------------------------------------------------


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
    said = len(told)
    deliver(paid)

    eventually(lambda: len(told) > said)
    again = kept(paid)
    assert (again.commit_seconds, again.push_seconds) == (first.commit_seconds, first.push_seconds)
    assert again.attempts == 2
    assert again.last_received_at > first.last_received_at
    assert again.received_at == first.received_at


@pytest.mark.django_db(transaction=True)
def test_a_rush_of_payments_is_written_by_one_statement(deliver, monkeypatch):
    recorder = flight.Recorder(interval=0.5)
    monkeypatch.setattr(flight, "recorder", recorder)
    writes = []
    webhooks_recorded.connect(count := lambda **kwargs: writes.append(1))
    events = [completed(factories.order()) for _ in range(5)]
    for paid in events:
        deliver(paid)

    eventually(lambda: all(measured(paid) for paid in events))
    webhooks_recorded.disconnect(count)
    assert len(writes) == 1


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


# --- what is refused ------------------------------------------------------------------------------


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
