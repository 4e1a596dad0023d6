"""What staff type about an order. Each form knows the order as it is locked, or shown."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.validators import URLValidator

from shop.models import Order
from shop.money import decimals, formatted, step

REASONS = {
    "requested_by_customer": "The customer asked for it",
    "duplicate": "Paid twice",
    "fraudulent": "Fraudulent",
}
"""Of a refund, in Stripe's words and ours. https://docs.stripe.com/api/refunds/create#create_refund-reason"""


class OrderForm(forms.Form):
    """`action` is the name of its address, `button` what stands on its button, `busy` what while it waits."""

    action: ClassVar[str]
    button: ClassVar[str]
    busy: ClassVar[str] = "One moment…"
    style: ClassVar[str] = "btn-primary"

    def __init__(self, order: Order, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, auto_id=f"{self.action}-%s", label_suffix="")
        self.order = order
        self.add_fields(order)
        for field in self.fields.values():
            select = isinstance(field.widget, forms.Select)
            field.widget.attrs["class"] = "form-select" if select else "form-control"

    def add_fields(self, order: Order) -> None:
        """Those that depend on the order."""


class RepeatableForm(OrderForm):
    """What could be done again, and must not be by a double click, or by two people who mean the same.

    So it is good only for the `state` that it was shown with, which it sends as `seen`.
    """

    @property
    @abstractmethod
    def state(self) -> str:
        """Whatever differs once it has been done."""

    def clean(self) -> dict[str, Any]:
        if self.data.get("seen") != self.state:
            raise forms.ValidationError(
                "Somebody was faster. See how it stands now, and send it again if need be."
            )
        return self.cleaned_data


class AmountField(forms.CharField):
    """Money of one currency, typed in major units and cleaned to minor ones: "12.50" and "12,5" are 1250."""

    def __init__(self, currency: str, most: int) -> None:
        super().__init__(
            label=f"Amount in {currency.upper()}",
            initial=_typed(most, currency),
            max_length=20,
            widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
        )
        self.currency, self.most = currency, most

    def clean(self, value: Any) -> int:
        places = decimals(self.currency)
        fraction = rf"(?:[.,]([0-9]{{1,{places}}}))?" if places else "()"
        typed = re.fullmatch(rf"([0-9]{{1,12}}){fraction}", super().clean(value))
        if typed is None:
            raise forms.ValidationError(f"Type an amount, for example {_typed(self.most, self.currency)}.")
        amount = int(typed[1] + (typed[2] or "").ljust(places, "0"))
        if amount > self.most:
            raise forms.ValidationError(f"No more than {formatted(self.most, self.currency)} is left.")
        if amount == 0 or amount % step(self.currency):
            least = formatted(step(self.currency), self.currency)
            raise forms.ValidationError(f"At least {least}, or a multiple of it.")
        return amount


class RefundForm(RepeatableForm):
    action, button, busy, style = "refund", "Refund", "Asking Stripe…", "btn-danger"

    reason = forms.ChoiceField(choices=list(REASONS.items()))
    note = forms.CharField(
        max_length=500, required=False, help_text="For staff; the customer does not see it."
    )
    field_order = ("amount", "reason", "note")

    def add_fields(self, order: Order) -> None:
        self.fields["amount"] = AmountField(order.currency, order.refundable_amount)
        self.order_fields(self.field_order)

    @property
    def state(self) -> str:
        return str(self.order.refunded_amount)


class ShipForm(OrderForm):
    action, button = "ship", "It is on its way"

    carrier = forms.CharField(max_length=100, required=False)
    tracking_url = forms.URLField(
        label="Tracking link",
        max_length=500,
        required=False,
        assume_scheme="https",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="The customer sees both, and gets an e-mail.",
    )


class RestockForm(RepeatableForm):
    """Units of each line that go back on the shelf, under `line-<primary key>`."""

    action, button = "restock", "Put back in stock"

    def add_fields(self, order: Order) -> None:
        self.lines = {f"line-{line.pk}": line.pk for line in order.goods if line.restockable}
        for line in order.goods:
            if line.restockable:
                self.fields[f"line-{line.pk}"] = forms.IntegerField(
                    label=f"{line.name}, up to {line.restockable}",
                    initial=0,
                    min_value=0,
                    max_value=line.restockable,
                )

    @property
    def state(self) -> str:
        return str(sum(line.restocked for line in self.order.goods))

    @property
    def units(self) -> dict[int, int]:
        """Line's primary key → units."""
        return {pk: self.cleaned_data[name] for name, pk in self.lines.items()}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and not any(self.units.values()):
            raise forms.ValidationError("Say of which, and how many.")
        return cleaned


def _typed(amount: int, currency: str) -> str:
    """As somebody would type it: 1250, "eur" → "12.50"."""
    return str(Decimal(amount).scaleb(-decimals(currency)))
