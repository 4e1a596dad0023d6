"""What staff's pages read from the database, and for a while cannot."""

from collections.abc import Callable
from typing import Any, Self

from django.db import OperationalError

from realtime import panels
from realtime.topics import PAYMENTS
from shop.dashboard.feed import PER_PAGE
from tests.live import Queries


class BrokenNumbers:
    """Meanwhile today's numbers cannot be read. `count` is how often that was tried."""

    count = 0

    def __enter__(self) -> Self:
        self._panels = panels.PANELS
        broken = panels.Panel("numbers", self._read, (PAYMENTS,))
        panels.PANELS = tuple(broken if panel.name == "numbers" else panel for panel in self._panels)
        return self

    def __exit__(self, *failure: object) -> None:
        panels.PANELS = self._panels

    def _read(self) -> dict[str, Any]:
        self.count += 1
        raise OperationalError("canceling statement due to statement timeout")


class Timeouts(Queries):
    """Meanwhile the database has no time for a page of rows if it is to look for this text in them.

    `count` is how often it was asked to.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def _see(self, execute: Callable[..., Any], sql: str, params: Any, *more: Any) -> Any:
        if f"LIMIT {PER_PAGE + 1}" in sql and any(self._text in str(param) for param in params or ()):
            self.count += 1
            raise OperationalError("canceling statement due to statement timeout")
        return execute(sql, params, *more)
