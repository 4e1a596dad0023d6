"""Django's own `migrate`, under time limits of its own instead of the shop's (DATABASE_SESSION_OPTIONS)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

LOCK_TIMEOUT = "3s"

_SET = "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = ANY(%s)"
_RESET = "SELECT set_config(name, reset_val, false) FROM pg_settings WHERE name = ANY(%s)"
# Not all of them in every PostgreSQL.
_UNLIMITED = ["statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"]


class Command(migrate.Command):
    """Work on a big table may take its time. Waiting for one may not: behind a lock that is waited for, all
    queue who come after it, so a long transaction in front of us would stop the shop.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with _own_limits(options["database"]):
                super().handle(*args, **options)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            raise CommandError(
                f"A table was in use for longer than {LOCK_TIMEOUT}. The migration that wanted it has changed"
                " nothing: run migrate again."
            ) from error


@contextmanager
def _own_limits(database: str) -> Iterator[None]:
    with connections[database].cursor() as cursor:
        cursor.execute(_SET, ["0", _UNLIMITED])
        cursor.execute(_SET, [LOCK_TIMEOUT, ["lock_timeout"]])
    try:
        yield
    finally:
        with connections[database].cursor() as cursor:
            cursor.execute(_RESET, [[*_UNLIMITED, "lock_timeout"]])
