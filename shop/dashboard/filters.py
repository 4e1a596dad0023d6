"""What the dashboard's lists are filtered by: all of it optional, and in the page's address."""

from collections.abc import Mapping
from typing import Any, Self

from django import forms


class FilterForm(forms.Form):
    """What cannot be understood is left out of the filter and said at its field; nothing raises."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data, label_suffix="", auto_id="filter-%s")
        for field in self.fields.values():
            select = isinstance(field.widget, forms.Select)
            field.widget.attrs["class"] = "form-select" if select else "form-control"

    @classmethod
    def from_query(cls, data: Mapping[str, Any]) -> Self:
        """From an address's parameters; others among them are not its business."""
        typed = cls(data)
        typed.is_valid()
        return typed
