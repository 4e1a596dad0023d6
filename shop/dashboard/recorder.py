"""The webhook flight recorder: what Stripe delivered, what came of it, and how fast it went through."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import QueryDict

from shop.dashboard.filters import FilterForm
from shop.models import Order, Outcome, StripeEvent
from shop.models.events import OPEN
from shop.models.events import StripeEventQuerySet as Events
from shop.models.order_queries import numbered
from shop.webhooks import HANDLERS

PER_PAGE = 50
SEARCHED = 5_000
"""Deliveries that one page of a list looks through: so a filter that nothing matches stays cheap."""

DUPLICATE = "duplicate"
OUTCOMES = {
    Outcome.APPLIED: "Applied",
    Outcome.IGNORED: "Ignored",
    Outcome.UNMATCHED: "Unmatched",
    Outcome.HELD: "Held for staff",
    Outcome.FAILED: "Failed",
}
_RARE = (Outcome.UNMATCHED, Outcome.HELD, Outcome.FAILED)  # an index of its own has them all


class WebhookFilter(FilterForm):
    """Type, outcome and text."""

    type = forms.CharField(
        label="Event type",
        max_length=100,
        required=False,
        widget=forms.TextInput({"list": "event-types", "placeholder": "Any, or how it begins"}),
    )
    outcome = forms.ChoiceField(
        choices=[("", "Any"), *OUTCOMES.items(), (DUPLICATE, "Duplicate")],
        required=False,
    )
    q = forms.CharField(
        label="Search",
        max_length=255,
        required=False,
        widget=forms.TextInput({"type": "search", "placeholder": "Event or order"}),
    )

    @property
    def query(self) -> str:
        """The same filter as an address says it: `type=charge.&outcome=failed`."""
        return urlencode({name: value for name, value in self.cleaned_data.items() if value})

    @property
    def types(self) -> list[str]:
        """Those that something is done about, to choose from."""
        return list(HANDLERS)

    @property
    def finds_few(self) -> bool:
        """By an index of their own, so that all can be looked at."""
        return bool(self.cleaned_data.get("q")) or self.cleaned_data.get("outcome") in _RARE

    def apply(self, events: Events) -> Events:
        wanted = self.cleaned_data
        if kind := wanted.get("type"):
            events = events.filter(type__startswith=kind)
        if (outcome := wanted.get("outcome")) == DUPLICATE:
            events = events.filter(attempts__gt=1, tries=0).exclude(outcome__in=OPEN)
        elif outcome:
            events = events.filter(outcome=outcome)
        if text := wanted.get("q"):
            events = events.filter(Q(pk=text) | Q(order__in=_orders(text)))
        return events


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: after the event that was last delivered then, and has this id (or any)."""

    at: datetime
    id: str

    @classmethod
    def read(cls, text: str) -> Self | None:
        """From an address; None for the first page, and for what is no cursor."""
        if not (typed := re.fullmatch(r"([0-9]{1,16})-([!-~]{0,255})", text)):
            return None
        return cls(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(typed[1])), typed[2])

    def __str__(self) -> str:
        return f"{(self.at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)}-{self.id}"

    @property
    def condition(self) -> Q:
        same = Q(last_received_at=self.at, pk__lt=self.id)
        return Q(last_received_at__lte=self.at) & (Q(last_received_at__lt=self.at) | same)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as the list shows it. Durations in seconds, None where they were not measured."""

    id: str
    type: str
    outcome: str
    error: str
    attempts: int
    tries: int
    retry_at: datetime | None
    created: datetime
    received_at: datetime
    last_received_at: datetime
    commit_seconds: float | None
    push_seconds: float | None
    order_id: UUID | None
    purged_at: datetime | None

    @property
    def order_number(self) -> str:
        return self.order_id.hex[:8].upper() if self.order_id else ""

    @property
    def outcome_in_words(self) -> str:
        return OUTCOMES.get(Outcome(self.outcome), self.outcome)

    @property
    def was_fetched(self) -> bool:
        """By the reconciler: Stripe could not deliver it."""
        return self.attempts == 0

    @property
    def duplicates(self) -> int:
        """Deliveries that were no news. What once failed was delivered again for good reason."""
        news = self.tries > 0 or self.outcome in OPEN
        return 0 if news else max(self.attempts - 1, 0)

    @property
    def way_seconds(self) -> float | None:
        """From Stripe to us. Stripe's clock gives whole seconds, and may be ahead of ours."""
        seconds = (self.received_at - self.created).total_seconds()
        return None if self.was_fetched else max(seconds, 0)

    @property
    def may_be_replayed(self) -> bool:
        return self.outcome != Outcome.APPLIED and not self.purged_at


_COLUMNS = (
    *("id", "type", "outcome", "error", "attempts", "tries", "retry_at", "created", "received_at"),
    *("last_received_at", "commit_seconds", "push_seconds", "order__public_id"),
    "purged_at",
)


def recorder(query: str = "") -> dict[str, Any]:
    """What live/_recorder.html shows for a page's address (`type=…&outcome=…&q=…&after=…`): `deliveries`, the
    newest first; `query` of the filter; `after` whether it is not the first page; `older`, where the next one
    begins; and `further`, whether that is only where the search goes on. Two statements at most.
    """
    data = QueryDict(query)
    wanted, after = WebhookFilter.from_query(data), Cursor.read(data.get("after", ""))
    newest = StripeEvent.objects.order_by("-last_received_at", "-pk")
    if after:
        newest = newest.filter(after.condition)
    end = None if wanted.finds_few or not wanted.query else _end_of_search(newest)
    some = wanted.apply(newest.filter(last_received_at__gte=end.at) if end else newest)
    found = [Delivery(*row) for row in some.values_list(*_COLUMNS)[: PER_PAGE + 1]]
    shown, more = found[:PER_PAGE], len(found) > PER_PAGE
    older = Cursor(shown[-1].last_received_at, shown[-1].id) if more else end
    return {
        "deliveries": shown,
        "query": wanted.query,
        "after": bool(after),
        "older": str(older) if older else "",
        "further": bool(end) and not more,
    }


def _end_of_search(newest: Events) -> Cursor | None:
    """None if there are not that many."""
    end = newest.values_list("last_received_at", "pk")[SEARCHED - 1 : SEARCHED]
    return next((Cursor(at, pk) for at, pk in end), None)


def _orders(text: str) -> list[int]:
    """Those that are called so: by number, by id, or by Stripe."""
    condition = Q(stripe_session_id=text) | Q(payment_intent_id=text) | numbered(text)
    return list(Order.objects.filter(condition).order_by().values_list("pk", flat=True)[:PER_PAGE])
