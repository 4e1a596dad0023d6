"""What a run of the rule book stands on."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from django.apps import apps
from django.db import connection, transaction

from tests.rule_book.api import Counter

Answer = TypeVar("Answer")


@dataclass
class Stage:
    """`at_once`: the fixture of that name. `staff_id`: a user's primary key."""

    counter: Counter
    at_once: Callable[[list[Callable[[], Any]]], list[Any]]
    staff_id: int
    runner: asyncio.Runner

    def wait_for(self, asking: Coroutine[Any, Any, Answer]) -> Answer:
        """In one event loop for all: each new one would cost a new client of Stripe's."""
        return self.runner.run(asking)

    def clear(self) -> None:
        """Nothing of an earlier run is left."""
        with transaction.atomic(), connection.cursor() as cursor:
            for model in apps.get_app_config("shop").get_models():
                cursor.execute(f'DELETE FROM "{model._meta.db_table}"')  # noqa: S608
            cursor.execute("DELETE FROM procrastinate_jobs")
