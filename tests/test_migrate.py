"""Migrations may take their time, but not the shop's."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.db.models.signals import pre_migrate

from shop.management.commands import migrate
from shop.models import StripeEvent
from tests import factories
from tests.local_stripe import eventually


def limits():
    names = [
        "statement_timeout",
        "transaction_timeout",
        "idle_in_transaction_session_timeout",
        "lock_timeout",
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)", [names])
        return dict(cursor.fetchall())


@pytest.fixture
def while_migrating():
    """Have something done in the midst of a migration."""
    connected = []

    def do(work):
        def receiver(sender, **_):
            if sender.label == "shop":
                work()

        connected.append(receiver)
        pre_migrate.connect(receiver)

    yield do
    for receiver in connected:
        pre_migrate.disconnect(receiver)


@pytest.mark.django_db
def test_a_migration_has_all_the_time_that_it_needs_once_it_has_its_locks(while_migrating):
    usual, during = limits(), {}
    while_migrating(lambda: during.update(limits()))
    call_command("migrate", verbosity=0)

    assert usual["statement_timeout"] == "5s"
    assert during == {**dict.fromkeys(usual, "0"), "lock_timeout": "3s"}
    assert limits() == usual, "who comes next on this connection is a shopper, perhaps"


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_waits_for_a_busy_table_gives_up(while_migrating, monkeypatch):
    def want_the_table():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE shop_product")  # as a migration does that alters it

    while_migrating(want_the_table)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    usual = limits()
    with somebody_reads("shop_product"), pytest.raises(CommandError, match="run migrate again"):
        call_command("migrate", verbosity=0)

    assert limits() == usual


@contextmanager
def somebody_reads(table):
    with somebody_else() as reader:
        reader.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        yield


def somebody_else():
    """In a transaction of 5 s: more than anybody should wait for."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return psycopg.connect(database.geturl(), options="-c idle_in_transaction_session_timeout=5s")


@pytest.mark.django_db(transaction=True)
def test_another_trouble_is_told_as_it_is(while_migrating):
    def lose_the_database():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    while_migrating(lose_the_database)
    with pytest.raises(OperationalError):
        call_command("migrate", verbosity=0)
    connection.close()


# --- indexes of tables in use ---------------------------------------------------------------------


def migrate_all():
    try:
        call_command("migrate", verbosity=0)
    finally:
        connection.close()


@pytest.fixture
def before_the_indexes(transactional_db):
    call_command("migrate", "shop", "0006", verbosity=0)
    yield
    call_command("migrate", verbosity=0)


def index(name):
    """How it was made; None if there is no such index that is of use."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relname = %s AND indisvalid",
            [name],
        )
        return next(iter(cursor.fetchall()), (None,))[0]


def a_build_waits():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX CONCURRENTLY%%'"
        )
        return cursor.fetchone()[0]


@pytest.mark.usefixtures("before_the_indexes")
def test_an_index_waits_for_whoever_writes_and_nobody_for_the_index(monkeypatch):
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "1ms")
    order = factories.order()
    with ThreadPoolExecutor(1) as threads, somebody_else() as writer:
        writer.execute("UPDATE shop_order SET version = version WHERE id = %s", [order.pk])
        building = threads.submit(migrate_all)
        eventually(a_build_waits)
        factories.paid_order()
        writer.commit()
        building.result()

    assert index("orders_newest_first")


@pytest.mark.usefixtures("before_the_indexes")
def test_what_a_build_that_was_broken_off_has_left_is_built_again():
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX orders_paid ON shop_order (id)")
    call_command("migrate", verbosity=0)

    assert "(paid_at)" in index("orders_paid")


@pytest.mark.usefixtures("before_the_indexes")
def test_events_of_before_were_delivered_last_when_they_came():
    call_command("migrate", "shop", "0003", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO shop_stripeevent (id, type, created, payload, received_at)"
            " VALUES ('evt_1', 'a', now(), '{}', now() - interval '1 day')"
        )
    call_command("migrate", verbosity=0)

    event = StripeEvent.objects.get()
    assert event.last_received_at == event.received_at
