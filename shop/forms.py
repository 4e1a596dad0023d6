"""The one rule book for what a shopper may choose and type."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.http import QueryDict

from shop.models import Order, Product
from shop.money import check_charge

MOST = 99
"""Units of one product in one order."""


PREFIX = "quantity-"


def field_name(product: Product) -> str:
    return f"{PREFIX}{product.slug}"


class QuantityInput(forms.NumberInput):
    """Hands on all that was sent under its name: a repeated field is a mistake, not a choice."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        values = data.getlist(name) if isinstance(data, QueryDict) else [data.get(name, "0")]
        return values[0] if len(values) == 1 else " ".join(values) or "0"


class QuantityField(forms.Field):
    """Whole units from 0 to 99 in ASCII digits: no "1e3", no "１"."""

    widget = QuantityInput

    def __init__(self, product: Product) -> None:
        super().__init__(label=product.name, initial=0)
        self.product = product

    def clean(self, value: Any) -> int:
        if not re.fullmatch(r"[0-9]{1,4}", str(value).strip(" ")):
            raise forms.ValidationError("Enter a whole number from 0 to 99.")
        if int(value) > MOST:
            raise forms.ValidationError(f"At most {MOST} of each in one order.")
        return int(value)


class CartForm(forms.Form):
    """A quantity for each product on sale, under `quantity-<slug>`; what is not sent counts as 0."""

    def __init__(self, data: Mapping[str, Any] | None, products: Iterable[Product]) -> None:
        super().__init__(data)
        self.cleaned_data: dict[str, Any] = {}
        self.products = {field_name(product): product for product in products}
        for name, product in self.products.items():
            self.fields[name] = QuantityField(product)

    def clean(self) -> dict[str, Any]:
        chosen = [product for product, _ in self._chosen()]
        if not chosen and not self.errors:
            raise forms.ValidationError("Choose at least one thing to buy.")
        if len({product.currency for product in chosen}) > 1:
            raise forms.ValidationError(
                "These are sold in different currencies: buy them one after the other."
            )
        if chosen and not self.errors:
            check_charge(self.amount_total, self.currency)
        return self.cleaned_data

    @property
    def unknown(self) -> list[str]:
        """Quantities of what is not, or no longer, on sale."""
        return [name for name in self.data if name.startswith(PREFIX) and name not in self.fields]

    @property
    def cart(self) -> list[tuple[Product, int]]:
        return list(self._chosen())

    @property
    def amount_total(self) -> int:
        """In minor units."""
        return sum(product.unit_amount * quantity for product, quantity in self._chosen())

    @property
    def currency(self) -> str:
        return next((product.currency for product, _ in self._chosen()), "")

    def add_sold_out(self, product: Product) -> None:
        """Say at the field what is left; the card around it shows the same."""
        name, left = field_name(product), product.available
        cast("QuantityField", self.fields[name]).product = product
        self.add_error(name, f"Only {left} left just now." if left else "Sold out just now.")

    def _chosen(self) -> Iterable[tuple[Product, int]]:
        for name, quantity in self.cleaned_data.items():
            if quantity:
                yield self.products[name], quantity


def cart_query(order: Order) -> str:
    """An order's goods as the query string that fills the cart with them again."""
    return urlencode(
        {field_name(line.product): line.quantity for line in order.lines.select_related("product")}
    )


class SignupForm(UserCreationForm):
    email = forms.EmailField(
        max_length=254,
        help_text="For the receipts, and for a new password.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username", "email")


class FindOrdersForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        help_text="The one that you gave on the payment page.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
