"""What Stripe signed is kept for a month, word for word; that it was here, and what came of it, for ever."""

import importlib
from datetime import timedelta

import psycopg
import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shop import tasks
from shop.models import Outcome, StripeEvent
from shop.models import events as inbox
from shop.models.events import MOST_EVENT_RETRIES, PURGED_AT_ONCE
from shop.visits import row_key
from tests import factories
from tests.stripe_events import completed, event, refund
from tests.test_dashboard_plans import rows_read, scans
from tests.worker import work

name_the_payments = importlib.import_module("shop.migrations.0014_name_held_payments").name_the_payments

PI_HELD = "pi_held_for_staff"

pytestmark = pytest.mark.django_db


def age(days: float, **which):
    """As if they had come so many days ago."""
    StripeEvent.objects.filter(**which).update(received_at=timezone.now() - timedelta(days=days))


def kept(told):
    return StripeEvent.objects.get(pk=told["id"])


def purge():
    return StripeEvent.objects.purge()


def many(number, **fields):
    old = timezone.now() - timedelta(days=31)
    defaults = {"type": "charge.refunded", "payload": "{}", "outcome": "applied", "created": old}
    events = [StripeEvent(id=f"evt_{n}", received_at=old, **defaults | fields) for n in range(number)]
    StripeEvent.objects.bulk_create(events, batch_size=1_000)


@pytest.fixture
def paid(deliver, order):
    """An event of 31 days ago, applied then."""
    told = completed(order)
    deliver(told)
    age(31)
    return told


@pytest.fixture
def held(deliver):
    """A second payment of an order, of 31 days ago: staff were asked to look."""
    told = completed(factories.paid_order(), payment_intent=PI_HELD)
    deliver(told)
    age(31)
    return told


def test_after_a_month_the_words_are_gone_and_everything_else_stays(paid, order):
    before = dict(StripeEvent.objects.values().get())
    assert "ada@example.com" in str(before["payload"])

    assert purge() == 1
    after = dict(StripeEvent.objects.values().get())
    assert after.pop("payload") == ""
    assert after.pop("purged_at") is not None
    assert after.items() <= before.items()
    assert after["order_id"] == order.pk
    assert purge() == 0, "and never again"


def test_a_day_less_than_a_month_is_not_enough(paid):
    age(29.9)
    assert purge() == 0
    assert kept(paid).payload


def test_how_long_is_a_setting(paid, settings):
    settings.EVENT_PAYLOAD_DAYS = 90
    assert purge() == 0

    age(91)
    assert purge() == 1


def test_what_still_waits_to_be_applied_is_left_until_it_is_given_up(deliver):
    told = event("refund.updated", refund(factories.order(), 500))
    deliver(told)
    assert kept(told).outcome == Outcome.UNMATCHED
    age(300)
    assert purge() == 0

    StripeEvent.objects.update(tries=MOST_EVENT_RETRIES)
    deliver(told)
    assert kept(told).retry_at is None
    assert purge() == 1


def test_a_purged_event_that_comes_again_still_counts_once(paid, deliver, state):
    purge()
    before = state()

    assert deliver(paid).status_code == 200
    assert state() == before
    assert (kept(paid).attempts, kept(paid).outcome, kept(paid).payload) == (2, Outcome.APPLIED, "")


def test_a_purged_event_cannot_be_replayed_and_says_why(held, client):
    client.force_login(factories.staff())
    purge()
    response = client.post(reverse("dashboard:replay", args=[held["id"]]), headers={"HX-Request": "true"})

    assert "Not replayed. Its payload was purged after 30 days" in response.text
    assert kept(held).outcome == Outcome.HELD
    with pytest.raises(CommandError, match="purged after 30 days"):
        call_command("replay_event", held["id"])


def test_the_recorder_and_the_events_own_page_say_that_it_is_purged(held, client):
    client.force_login(factories.staff())
    replay = reverse("dashboard:replay", args=[held["id"]])
    assert replay in client.get("/dashboard/webhooks/").text

    purge()
    recorder = client.get("/dashboard/webhooks/").text
    assert 'data-outcome="purged"' in recorder
    assert replay not in recorder
    page = client.get(reverse("dashboard:payload", args=[held["id"]]))
    assert page.status_code == 200
    assert "Purged <time" in page.text
    assert "Held for staff" in page.text


def test_the_refund_of_a_held_payment_still_finds_its_order(held, deliver):
    purge()
    told = event("refund.created", refund(factories.paid_order(), 2500, payment_intent=PI_HELD))
    deliver(told)

    assert (kept(told).outcome, kept(told).order) == (Outcome.IGNORED, kept(held).order)


def test_payments_that_were_held_before_there_was_a_column_for_them_are_named(held):
    StripeEvent.objects.update(payment_intent_id="")
    name_the_payments(apps, None)

    assert kept(held).payment_intent_id == PI_HELD


@pytest.mark.parametrize("named", [PI_HELD, ""])
def test_naming_held_payments_once_more_leaves_what_is_purged(held, named):
    """For what the version before held while the new one was being started."""
    StripeEvent.objects.update(payment_intent_id=named)
    purge()
    name_the_payments(apps, None)

    assert kept(held).payment_intent_id == named


@pytest.mark.django_db(transaction=True)
def test_the_worker_purges_all_of_them_each_night_and_the_sessions_that_are_over():
    many(2 * PURGED_AT_ONCE + 1)
    for browser in (over := Client(), Client()):
        browser.force_login(factories.user())
    Session.objects.filter(pk=row_key(over.cookies["sessionid"].value)).update(expire_date=timezone.now())

    tasks.forget_what_is_over.configure().defer(timestamp=0)
    work()
    assert not StripeEvent.objects.exclude(payload="").exists()
    assert Session.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_nobody_who_works_on_an_event():
    many(3)
    with psycopg.connect(**connection.get_connection_params() | {"options": ""}) as other:
        other.execute("SELECT 1 FROM shop_stripeevent WHERE id = 'evt_1' FOR UPDATE")
        assert purge() == 2

    assert purge() == 1


def test_what_was_purged_before_is_not_read_again():
    with connection.cursor() as cursor:
        cursor.execute(_YEARS)
        cursor.execute("ANALYZE shop_stripeevent")

    nodes = [node for node in scans(inbox._PURGE, [30, PURGED_AT_ONCE]) if node["Node Type"] != "ModifyTable"]
    assert nodes
    for node in nodes:
        assert "Index" in node["Node Type"], node
        assert rows_read(node) <= 1_000, node


# One in twenty is still to be purged.
_YEARS = """
INSERT INTO shop_stripeevent (id, type, created, received_at, payload, outcome, purged_at)
SELECT 'evt_' || n, 'charge.refunded', at, at, CASE WHEN n % 20 = 0 THEN '{}' ELSE '' END, 'applied',
    CASE WHEN n % 20 = 0 THEN NULL ELSE now() END
FROM (SELECT n, now() - interval '31 days' - n * interval '1 hour' AS at FROM generate_series(1, 20000) n) _
"""
