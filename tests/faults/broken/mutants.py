"""Ways to break the shop, each of which the checker must notice."""

from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from tests import mutants


def no_event_key() -> None:
    mutants.no_event_key(setattr)


def no_row_lock() -> None:
    mutants.no_row_lock(setattr)


def no_version_guard() -> None:
    """A page is sent whatever comes, old or known."""
    from realtime.pages import Page

    Page.wants = lambda self, key, version, changed_at: True  # type: ignore[method-assign]


def no_sweep() -> None:
    """Nobody looks for what no hurry-up brought."""
    import asyncio

    from realtime.sweep import Sweep

    async def patrol(self: Sweep) -> None:
        await asyncio.sleep(3600)

    Sweep.patrol = patrol  # type: ignore[method-assign]


def no_catch_up() -> None:
    """A page that opens is taken to show what the database says."""
    import json
    import time

    from realtime.sweep import Sweep

    async def greet(self: Sweep) -> None:
        await self._hub.somebody_waits.wait()
        self._hub.somebody_waits.clear()
        waiting, self._hub.waiting = self._hub.waiting, set()
        await self._hub.settled()
        for page in waiting & self._hub.pages:
            page.forget_before(time.time())
            page.confirm(json.dumps({"as_of": time.time()}))

    Sweep.greet = greet  # type: ignore[method-assign]


def no_ownership() -> None:
    """Lists of a shopper's orders hear of somebody else's, too: of whoever looked at the shop before her."""
    from realtime.tickets import Ticket
    from realtime.topics import kind_of

    issue = Ticket.issue
    others: deque[str] = deque(maxlen=5)

    def issue_for_all(request: Any, path: str, topics: Collection[str], *rest: Any) -> str:
        own = [topic for topic in topics if kind_of(topic) == "shopper"]
        ticket = issue(request, path, {*topics, *others} if own else topics, *rest)
        others.extend(own)
        return ticket

    Ticket.issue = issue_for_all  # type: ignore[assignment]


def no_second_look() -> None:
    """Who was let in stays in."""
    from realtime import look

    setattr(look, "ended", lambda visits: {})  # noqa: B010  it is only imported there


def no_push() -> None:
    """Nothing is hurried; the sweep brings it all."""
    from realtime import receivers, stock

    for module in (receivers, stock):
        module.publish = lambda fragments: None  # type: ignore[attr-defined]


def no_reconciler() -> None:
    """Nobody asks Stripe by himself for what the webhooks did not bring."""
    from shop import tasks
    from shop.reconcile import Reconciler, Summary

    class Idle(Reconciler):
        async def run(self) -> Summary:
            return self.summary

    setattr(tasks, "Reconciler", Idle)  # noqa: B010  it is only imported there


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        no_event_key,
        no_row_lock,
        no_version_guard,
        no_sweep,
        no_catch_up,
        no_ownership,
        no_second_look,
        no_push,
        no_reconciler,
    )
}
