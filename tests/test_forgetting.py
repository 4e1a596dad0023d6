"""Each night the worker forgets what is over, and one thing that cannot be forgotten keeps no other."""

from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from shop import tasks
from shop.models import Allowance, LinksEmail, OrderGrant, OrderLink, StripeEvent
from tests import factories
from tests.worker import work

pytestmark = pytest.mark.django_db(transaction=True)

OF_A_ROW = {
    "shop_stripeevent": "old.payload <> ''",
    "shop_orderlink": "true",
    "shop_ordergrant": "true",
    "shop_linksemail": "true",
    "django_session": "true",
    "shop_allowance": "true",
    "axes_accessattempt": "true",
    "procrastinate_jobs": "old.task_name = 'old'",
}
"""The tables in which something is over, and what a row still says of it."""


def fill():
    """Put into each table what was over yesterday."""
    then, yesterday = timezone.now() - timedelta(days=40), timezone.now() - timedelta(days=1)
    order = factories.order()
    StripeEvent.objects.create(
        id="evt_1", type="payout.paid", created=then, received_at=then, payload="{}", outcome="ignored"
    )
    OrderLink.objects.create(order=order, token_hash="old", created_at=then, expires_at=yesterday)
    OrderGrant.objects.create(order=order, guest_id=uuid4(), created_at=then)
    LinksEmail.objects.create(address_hash="old", sent_at=yesterday)
    Session.objects.create(session_key="old", session_data="", expire_date=yesterday)
    Allowance.objects.create(key="old", full_at=yesterday)
    AccessAttempt.objects.create(username="old", failures_since_start=1)
    AccessAttempt.objects.update(attempt_time=yesterday)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'old')")
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed'")
        cursor.execute("UPDATE procrastinate_events SET at = %s", [then])


def left():
    """The tables in which something is still there."""
    with connection.cursor() as cursor:
        there = set()
        for table, says in OF_A_ROW.items():
            cursor.execute(f"SELECT 1 FROM {table} old WHERE {says}")  # noqa: S608  names of ours
            if cursor.fetchone():
                there.add(table)
        return there


@contextmanager
def nothing_goes_from(table):
    """The database lets nothing be deleted or emptied in it."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP)
        each = f"FOR EACH ROW WHEN ({OF_A_ROW[table]})"
        event = "UPDATE" if table == "shop_stripeevent" else "DELETE"
        cursor.execute(f"CREATE TRIGGER keep BEFORE {event} ON {table} {each} EXECUTE FUNCTION keep()")
        try:
            yield
        finally:
            cursor.execute(f"DROP TRIGGER keep ON {table}")
            cursor.execute("DROP FUNCTION keep")


def night():
    """Whether its job went well: that one is gone, too."""
    job = tasks.forget_what_is_over.configure().defer(timestamp=0)
    work()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM procrastinate_jobs WHERE id = %s AND status = 'failed'", [job])
        return cursor.fetchone() is None


def test_in_the_morning_nothing_is_left():
    fill()
    assert left() == set(OF_A_ROW)

    assert night()
    assert left() == set()


@pytest.mark.parametrize("table", OF_A_ROW)
def test_what_cannot_be_forgotten_keeps_nothing_else_and_goes_another_night(table):
    fill()
    with nothing_goes_from(table):
        assert not night(), "somebody should hear of it"
        assert left() == {table}

    assert night()
    assert left() == set()


def test_who_was_sent_links_just_now_is_remembered():
    """Or she could be sent them again at once."""
    now = LinksEmail.objects.create(address_hash="ada", sent_at=timezone.now() - timedelta(minutes=9))
    night()

    assert LinksEmail.objects.get() == now


_KEEP = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not from here'; END $$
"""
