"""The database's connections, of which there are few: nobody keeps one while waiting for something else."""

from django.db import connection


def put_connection_back() -> None:
    """For others to take; the thread's next query takes one again. Does nothing inside of a transaction."""
    if not connection.in_atomic_block:  # a caller's transaction is not ours to end
        connection.close()
