"""Time passes, and whatever was on its way arrives."""

import json
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import F, Model

from shop import tasks
from shop.models import Order, Refund, StripeEvent
from shop.models.events import OPEN
from shop.reconcile import Reconciler, Summary
from shop.webhooks import replay
from tests.rule_book import checks
from tests.rule_book.bank import Bank
from tests.rule_book.stage import Stage

if TYPE_CHECKING:
    from tests.rule_book.machine import Machine

WAITING: list[tuple[type[Model], str]] = [
    (StripeEvent, "retry_at"),
    (Refund, "created_at"),
    (Order, "placed_at"),
    (Order, "checked_at"),
    (Order, "checkout_expires_at"),
]


def tell_all(book: "Machine", *, by_events: bool, order: Random) -> None:
    """By webhooks alone, in any order, or by the reconciler alone."""
    if by_events:
        words = book.bank.undelivered()
        order.shuffle(words)
        for word in words:
            book.post(word)
        some_hours_pass()
        book.stage.wait_for(Reconciler().unanswered_refunds())
        for word in book.bank.undelivered():  # of refunds that have just been made
            book.post(word)
        for event in StripeEvent.objects.filter(outcome__in=OPEN):  # those that were given up, too
            replay(event.pk)
    else:
        for _ in range(2):
            summary = reconcile(book.stage, book.bank)
            assert (summary.unanswered, summary.stopped, summary.failed) == (0, "", 0)
    checks.in_the_end(book.bank, by_events=by_events)


def reconcile(stage: Stage, bank: Bank) -> Summary:
    some_hours_pass()
    summary = stage.wait_for(Reconciler().run())
    if bank.mood == "well":
        look_up_refunds(stage)
    return summary


def some_hours_pass() -> None:
    for model, field in WAITING:
        model._default_manager.update(**{field: F(field) - timedelta(hours=20)})


def look_up_refunds(stage: Stage) -> None:
    """As the worker does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs WHERE task_name = 'shop.tasks.look_up_refunds' RETURNING args"
        )
        jobs = [json.loads(arguments) for (arguments,) in cursor.fetchall()]
    for job in jobs:
        stage.wait_for(tasks.look_up_refunds(**job))
