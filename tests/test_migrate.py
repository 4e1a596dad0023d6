"""Migrations may take their time, but not the shop's."""

import os
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.db.models.signals import pre_migrate

from shop.management.commands import migrate


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
    """In a transaction of 5 s: more than anybody should wait for."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    with psycopg.connect(database.geturl(), options="-c idle_in_transaction_session_timeout=5s") as reader:
        reader.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        yield


@pytest.mark.django_db(transaction=True)
def test_another_trouble_is_told_as_it_is(while_migrating):
    def lose_the_database():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    while_migrating(lose_the_database)
    with pytest.raises(OperationalError):
        call_command("migrate", verbosity=0)
    connection.close()
