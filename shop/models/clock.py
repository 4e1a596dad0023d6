from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_MOMENT = """
SELECT statement_timestamp(), least(statement_timestamp(), min(xact_start))
FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was read, by the database's clock."""

    now: datetime
    settled: datetime
    """Now, or when the oldest transaction began that has written and may still be committed. What was stamped
    earlier could be read, but for a statement that was just about to write.
    """


def database_now() -> datetime:
    """The database's clock: the one that stamps every change, so the one to compare changes with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def database_moment() -> Moment:
    """Ask before reading what a page shows: then whatever the page lacks was stamped at `settled` or later.

    `now` is not enough: a change is stamped before its COMMIT, and that may wait for the disk or a standby
    as long as it likes. No timeout of PostgreSQL's ends it.
    """
    # Inside a transaction PostgreSQL repeats its first answer, without those who have begun to write since.
    with connection.cursor() as cursor:
        cursor.execute(_MOMENT)
        now, settled = cursor.fetchone()
    return Moment(now, settled)
