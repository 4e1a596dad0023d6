"""Work for later, kept in PostgreSQL by Procrastinate; shop/tasks.py says what the work is."""

import time
from contextlib import suppress
from typing import Any

from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.types import TimeDeltaParams

GATHERING = 1
"""Seconds in which e-mails gather before the worker is called: a rush of payments makes one job a second."""

_called_at = float("-inf")


def defer(task: str, **arguments: Any) -> None:
    """Have a task of shop/tasks.py done once the transaction around this has committed, and never if it does
    not. By name, because the tasks import the models, which defer them.
    """
    app.configure_task(f"shop.tasks.{task}").defer(**arguments)


def defer_once(task: str, lock: str, *, wait: int = 0, **arguments: Any) -> None:
    """The same, unless a job with this lock waits already to be done; one at a time of these, some seconds
    from now, and after everything else that waits.

    For what strangers can ask for: a flood of it must not keep payments waiting. Not for a task with `retry`:
    a job that goes back to waiting may meet a newer one with its lock, and is then stuck.
    """
    lock = f"{task} {lock}"
    later: TimeDeltaParams | None = {"seconds": wait} if wait else None
    job = app.configure_task(
        f"shop.tasks.{task}", lock=lock, queueing_lock=lock, priority=-1, schedule_in=later
    )
    with suppress(AlreadyEnqueued), transaction.atomic():  # which leaves a transaction around it as it was
        job.defer(**arguments)


def hurry_emails() -> None:
    """After the commit: call the worker to what is to be sent. It looks each minute in any case."""
    global _called_at
    if time.monotonic() < _called_at + GATHERING:
        return  # the job of then has not begun yet, and will see what there is now
    _called_at = time.monotonic()
    call = app.configure_task(
        "shop.tasks.send_order_emails", queueing_lock="send_order_emails", schedule_in={"seconds": GATHERING}
    )
    with suppress(AlreadyEnqueued):
        call.defer(timestamp=0)
