"""The worker as the shop runs it, for as long as there is something to do."""

from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.periodic import PeriodicRegistry

from shop import jobs


def work() -> None:
    """Do every job there is, those for later included; nothing that the clock would bring.

    Wants `django_db(transaction=True)`: the worker has database connections of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE scheduled_at > now()")
    worker = app.with_connector(DjangoConnector().get_worker_connector())
    worker.periodic_registry = PeriodicRegistry()
    worker.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)
    jobs._called_at = float("-inf")  # time has gone by


def waiting(task: str) -> int:
    """How many jobs of this task of shop/tasks.py wait to be done."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo'",
            [f"shop.tasks.{task}"],
        )
        return int(cursor.fetchone()[0])
