from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The database's clock: the one that stamps every change, so the one to compare changes with.

    Ask before reading what a page shows: then whatever changes later is later than the page's time.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
