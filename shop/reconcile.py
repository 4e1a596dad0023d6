"""What the webhooks did not bring: every minute (shop/tasks.py), and by `manage.py reconcile`.

The cheapest news first: one list of events that Stripe could not deliver may settle thousands of orders; what
is open then costs a request each.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import stripe
from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from stripe import Event
from stripe.params import EventListParams

from shop import refunds, tracing
from shop.checkout import end, end_abandoned, forsake, is_unknown, retrieve
from shop.models import Order, Outcome, ReconcilerTally, Refund, RefundStatus, Source, StripeEvent
from shop.models.moves import HOLDING
from shop.patience import OutOfPatience, Patience
from shop.sessions import SessionFacts, apply_session
from shop.stripe_client import from_stripe
from shop.webhooks import HANDLERS, is_event, receive, replay

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

OLD_ENOUGH = timedelta(minutes=10)
"""Age of an order from which on its webhook is overdue."""
UNANSWERED = timedelta(minutes=1)
"""Age of a refund from which on whoever asked for it has surely been cut off."""
REACH = timedelta(days=3)
"""How far back undelivered events are asked for: as long as Stripe goes on trying; it keeps them 30 days."""
PER_PAGE = 100
"""Events; Stripe gives no more at once."""
COUNTED = ("orders_asked", "orders_changed", "events_applied", "failed", "unanswered")
"""Of the summary, for ReconcilerTally."""
AT_ONCE = 8
"""Requests at a time, of the hundred a second that Stripe allows."""


@dataclass(slots=True)
class Summary:
    """What a run has done, or on a dry run would have done."""

    events_fetched: int = 0
    events_applied: int = 0
    events_retried: int = 0
    refunds_asked: int = 0
    orders_asked: int = 0
    orders_changed: int = 0
    failed: int = 0
    unanswered: int = 0
    stopped: str = ""
    """Why it ended early, if it did. What was left comes next time."""


@dataclass(slots=True)
class Reconciler:
    """One run."""

    older_than: timedelta = OLD_ENOUGH
    every_order: bool = False
    """Whether those are asked for, too, that were not long ago."""
    reach: timedelta = REACH
    delivered_too: bool = False
    """Whether events are fetched, too, that were delivered: to a database that is lost."""
    dry_run: bool = False
    progress: Callable[[Summary], None] = lambda _summary: None
    patience: Patience = field(default_factory=Patience)
    summary: Summary = field(default_factory=Summary)

    async def run(self) -> Summary:
        """All of it. What goes wrong raises nothing: see `unanswered`, `failed` and `stopped`."""
        steps = (self.undelivered_events, self.stored_events, self.unanswered_refunds, self.open_orders)
        try:
            for step in steps:
                await self._safely(step(), step.__name__)
                self.progress(self.summary)
        except OutOfPatience as end:
            self._stop(end)
        if not self.dry_run:
            await self._safely(self._write_down(), "the tally")
        return self.summary

    async def _write_down(self) -> None:
        counts = {name: getattr(self.summary, name) for name in COUNTED}
        add = partial(ReconcilerTally.add, **counts, stopped=int(bool(self.summary.stopped)))
        await sync_to_async(add)()

    async def undelivered_events(self) -> None:
        """Put what Stripe could not deliver into the inbox; a delivery that comes later is a repeated one.

        Half of the time at most: where another endpoint of the account is broken, there is no end to these.
        """
        half = self.patience.halfway()
        async for page in self._pages_of_events():
            known = await sync_to_async(_stored)([event.id for event in page])
            for event in reversed(page):
                content = event.to_dict(for_json=True)
                if event.id not in known and is_event(content):
                    apply = partial(receive, content, json.dumps(content), Source.RECONCILER)
                    await self._safely(self._event(apply), event.id)
            self.summary.events_fetched += len(page)
            self.progress(self.summary)
            if self.patience.now() > half:
                log.warning("There are more undelivered events than a run has time for.")
                return

    async def stored_events(self) -> None:
        """Try again what failed, or found no order."""
        for event_id in await sync_to_async(_keys)(StripeEvent.objects.to_try_again()):
            self.patience.check()
            self.summary.events_retried += 1
            await self._safely(self._event(partial(replay, event_id, Source.RECONCILER)), event_id)

    async def unanswered_refunds(self) -> None:
        """Ask again for refunds whose answer never came."""
        for pk in await sync_to_async(_keys)(Refund.objects.unanswered(UNANSWERED)):
            self.patience.check()
            self.summary.refunds_asked += 1
            if not self.dry_run:
                await self._safely(self._refund(pk), f"refund {pk}")

    async def open_orders(self) -> None:
        """Ask how the sessions of open orders stand, some at a time and each once."""
        in_doubt = Order.objects.in_doubt(self.older_than, every=self.every_order)
        waiting = iter(await sync_to_async(_keys)(in_doubt))
        async with asyncio.TaskGroup() as askers:
            for _ in range(AT_ONCE):
                askers.create_task(self._orders(waiting))

    # --- one by one -------------------------------------------------------------------------------

    async def _safely(self, work: Awaitable[None], about: str) -> None:
        """Whatever goes wrong with one, the others must not wait for it."""
        with tracing.about():
            await self._try(work, about)

    async def _try(self, work: Awaitable[None], about: str) -> None:
        try:
            await work
        except (stripe.StripeError, TimeoutError) as error:
            log.warning("No answer from Stripe about %s: %s", about, type(error).__name__)
            self.summary.unanswered += 1
        except OutOfPatience:
            raise
        except Exception as error:  # noqa: BLE001  by its kind only: messages quote rows
            log.error("Not brought up to date, %s: %s", about, type(error).__name__)
            self.summary.failed += 1

    async def _event(self, apply: Callable[[], Outcome]) -> None:
        outcome = await self._do(apply)
        self.summary.events_applied += outcome == Outcome.APPLIED

    async def _refund(self, pk: int) -> None:
        refund = await Refund.objects.select_related("order").aget(pk=pk)
        # First what there is: Stripe may have made it and forgotten the key, after a day.
        await self.patience.ask(partial(refunds.ask, refund.order))
        await refund.arefresh_from_db()
        if refund.status == RefundStatus.REQUESTED:
            await self.patience.ask(partial(refunds.make, refund))

    async def _orders(self, waiting: Iterator[int]) -> None:
        try:
            for pk in waiting:
                self.patience.check()
                await self._safely(self._order(pk), f"order {pk}")
                self.progress(self.summary)
        except OutOfPatience as end:
            self._stop(end)

    async def _order(self, pk: int) -> None:
        order = await Order.objects.aget(pk=pk)
        tracing.bind(order=order.public_id)
        if order.payment_status not in HOLDING:
            return  # an event has settled it meanwhile
        self.summary.orders_asked += 1
        try:
            changed = await self._follow_session(order)  # first: others count while we wait
            self.summary.orders_changed += changed
        finally:
            # In any case: one that always fails must not be the first of every run.
            if not self.dry_run:
                await Order.objects.filter(pk=pk).aupdate(checked_at=Now())

    async def _follow_session(self, order: Order) -> bool:
        if order.stripe_session_id is None:
            return await self._do(partial(end_abandoned, order, Source.RECONCILER))
        ask = end if order.cancelling and not self.dry_run else retrieve
        try:
            session = await self.patience.ask(partial(ask, order.stripe_session_id))
        except stripe.InvalidRequestError as error:
            if not is_unknown(error):
                raise
            return await self._do(partial(forsake, order, order.stripe_session_id, Source.RECONCILER))
        facts = SessionFacts.read(session.to_dict())
        outcome, _order = await self._do(partial(apply_session, facts, Source.RECONCILER))
        return bool(outcome == Outcome.APPLIED)

    async def _do(self, verb: Callable[[], Answer]) -> Answer:
        return await sync_to_async(partial(_undone, verb) if self.dry_run else verb)()

    async def _pages_of_events(self) -> AsyncIterator[list[Event]]:
        """Stripe's pages, newest first."""
        since = int((timezone.now() - self.reach).timestamp())
        params: EventListParams = {
            "types": list(HANDLERS),
            "created": {"gte": since},
            "limit": PER_PAGE,
        }
        if not self.delivered_too:
            params["delivery_success"] = False
        more = True
        while more:
            page = await self.patience.ask(
                partial(from_stripe, lambda client: client.v1.events.list_async(params))
            )
            if page.data:
                yield page.data
                params["starting_after"] = page.data[-1].id
            more = page.has_more

    def _stop(self, end: OutOfPatience) -> None:
        self.summary.stopped = str(end)
        log.warning("Reconciler stopped: %s", end)


def _undone(verb: Callable[[], Answer]) -> Answer:
    """What it would have come to. What it announced and deferred goes with the transaction."""
    with transaction.atomic():
        answer = verb()
        transaction.set_rollback(True)
    return answer


def _stored(event_ids: list[str]) -> set[str]:
    """Those that the inbox has: whatever became of them, they are no business of this step."""
    return set(StripeEvent.objects.filter(id__in=event_ids).values_list("id", flat=True))


def _keys(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.values_list("pk", flat=True))
