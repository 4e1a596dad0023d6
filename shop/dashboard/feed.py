"""Which payments a list shows: one rule for the page, for what is pushed to it, and for the export."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, Value, When
from django.http import QueryDict
from django.utils import timezone

from shop.dashboard.filters import FilterForm
from shop.models import FulfilmentStatus, Order, OrderLine, PaymentStatus
from shop.models.order_queries import CAME_IN, OrderQuerySet, numbered
from shop.money import decimals

PER_PAGE = 50

_PAYMENTS = Q(payment_status__in=[PaymentStatus.PROCESSING, PaymentStatus.PAID, PaymentStatus.FAILED])
_UNSENT = [FulfilmentStatus.UNFULFILLED, FulfilmentStatus.PREPARING]

STATUSES: dict[str, tuple[str, Q]] = {
    "": ("Payments", _PAYMENTS),
    "all": ("All orders", Q(pk__isnull=False)),
    **{status.value: (str(status.label), Q(payment_status=status)) for status in PaymentStatus},
    "unsent": ("To be sent", Q(payment_status=PaymentStatus.PAID, fulfilment_status__in=_UNSENT)),
    "refunded": ("Refunded", Q(refunded_amount__gt=0)),
    "disputed": ("Disputed", Q(disputed=True)),
    "attention": ("Needs a look", ~Q(needs_attention="")),
}
"""Value of the filter → its name, and whom it lets through."""

PERIODS = {
    "": "Any time",
    "today": "Today",
    "yesterday": "Yesterday",
    "week": "Last 7 days",
    "month": "Last 30 days",
}

# Nearer to where the calendar of Python ends, a midnight of ours may lie beyond it.
_DAYS = (MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(9998, 12, 31)))

_FIRST = ("status", "q", "period")
"""Fields that are always to be seen; the others on request."""


class PaymentFilter(FilterForm):
    """Status, text, amount in the shop's currency, and period."""

    status = forms.ChoiceField(
        choices=[(value, name) for value, (name, _) in STATUSES.items()], required=False
    )
    q = forms.CharField(
        label="Search",
        max_length=100,
        required=False,
        widget=forms.TextInput({"type": "search", "placeholder": "Number, e-mail, goods, Stripe id"}),
    )
    period = forms.ChoiceField(choices=list(PERIODS.items()), required=False)
    since = forms.DateField(
        label="From", required=False, validators=_DAYS, widget=forms.DateInput({"type": "date"})
    )
    until = forms.DateField(
        label="To", required=False, validators=_DAYS, widget=forms.DateInput({"type": "date"})
    )
    least = forms.DecimalField(label="At least", required=False, min_value=0, max_digits=14)
    most = forms.DecimalField(label="At most", required=False, min_value=0, max_digits=14)

    @property
    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in _FIRST]

    @property
    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in _FIRST]

    @property
    def uses_more(self) -> bool:
        return any(field.data for field in self.more_fields)

    @property
    def query(self) -> str:
        """The same filter as an address says it, without what is empty or wrong: `status=paid&least=10`."""
        return urlencode(
            {name: _as_typed(value) for name, value in self.cleaned_data.items() if value not in (None, "")}
        )

    @property
    def condition(self) -> Q:
        """Whom it lets through, at this moment: "today" moves on at midnight."""
        wanted = self.cleaned_data
        condition = STATUSES[wanted.get("status", "")][1]
        if text := wanted.get("q"):
            condition &= _mentions(text)
        if wanted.get("least") is not None:
            condition &= Q(currency=settings.CURRENCY, amount_total__gte=_minor(wanted["least"]))
        if wanted.get("most") is not None:
            condition &= Q(currency=settings.CURRENCY, amount_total__lte=_minor(wanted["most"]))
        first, last = _days(wanted)
        if first:
            condition &= Q(came_in__gte=_midnight(first))
        if last:
            condition &= Q(came_in__lt=_midnight(last + timedelta(days=1)))
        return condition

    def apply(self, orders: OrderQuerySet) -> OrderQuerySet:
        """Those that it lets through, with `came_in`, the payment that came in last first."""
        return orders.alias(came_in=CAME_IN).filter(self.condition).order_by(CAME_IN.desc(), "-pk")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of the list begins: after the order that came in then, and has this primary key."""

    came_in: datetime
    pk: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """From an address; None for the first page, and for what is no cursor."""
        if not (typed := re.fullmatch(r"([0-9]{1,17})-([0-9]{1,18})", text)):
            return None
        try:
            return cls(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(typed[1])), int(typed[2]))
        except OverflowError:
            return None

    @classmethod
    def after(cls, order: Order) -> Self:
        return cls(order.came_in_at, order.pk)

    def __str__(self) -> str:
        since = self.came_in - datetime.fromtimestamp(0, UTC)
        return f"{since // timedelta(microseconds=1)}-{self.pk}"

    @property
    def condition(self) -> Q:
        return Q(came_in__lte=self.came_in) & (Q(came_in__lt=self.came_in) | Q(pk__lt=self.pk))


def rows(wanted: PaymentFilter, after: Cursor | None) -> tuple[list[Order], Cursor | None]:
    """A page of the list, and where the next one begins, if there is one. Two queries."""
    some = wanted.apply(Order.objects.all())
    if after:
        some = some.filter(after.condition)
    pks = list(some.values_list("pk", flat=True)[: PER_PAGE + 1])
    # As they are now: one may have been paid since it was chosen, and what says so stands in its new place.
    # No push moves it any more, because the page shows this version already.
    orders = Order.objects.in_full(pks[:PER_PAGE])
    orders.sort(key=lambda order: (order.came_in_at, order.pk), reverse=True)
    return orders, Cursor.after(orders[-1]) if len(pks) > PER_PAGE and orders else None


def matching(queries: Collection[str], pks: Collection[int]) -> dict[str, set[int]]:
    """Which of these orders each filter lets through: query of its address → primary keys. One statement."""
    conditions = {
        f"filter_{number}": Case(
            When(PaymentFilter.from_query(QueryDict(query)).condition, then=Value(True)),
            default=Value(False),
            output_field=BooleanField(),
        )
        for number, query in enumerate(queries)
    }
    found = Order.objects.filter(pk__in=pks).alias(came_in=CAME_IN).order_by()
    answers = list(found.annotate(**conditions).values_list("pk", *conditions))
    return {
        query: {pk for pk, *through in answers if through[number]} for number, query in enumerate(queries)
    }


def _mentions(text: str) -> Q:
    text = text.strip()
    named = OrderLine.objects.filter(order=OuterRef("pk"), name__icontains=text)
    condition = Q(email__icontains=text) | Q(Exists(named))
    return condition | Q(payment_intent_id=text) | Q(stripe_session_id=text) | numbered(text)


def _days(wanted: Mapping[str, Any]) -> tuple[date | None, date | None]:
    """First and last day, in the shop's time zone."""
    today = timezone.localdate()
    first, last = {
        "today": (today, today),
        "yesterday": (today - timedelta(days=1), today - timedelta(days=1)),
        "week": (today - timedelta(days=6), today),
        "month": (today - timedelta(days=29), today),
    }.get(wanted.get("period") or "", (None, None))
    return wanted.get("since") or first, wanted.get("until") or last


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _minor(amount: Decimal) -> int:
    return int(amount.scaleb(decimals(settings.CURRENCY)))


def _as_typed(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
