"""What a shopper finds on an HTML page: forms, links and a few values."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

ORDER = re.compile(r"/orders/[0-9a-f-]{36}/")


@dataclass
class Form:
    """`fields` is what a press of its button would send if nobody had touched anything."""

    id: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """One answer. Whole addresses; `total` is the amount that Stripe's page shows."""

    def __init__(self, url: str, status: int, html: str) -> None:
        super().__init__()
        self.url = url
        self.status = status
        self.total = ""
        self._elements: list[dict[str, str]] = []
        self._forms: list[Form] = []
        self._inside = ""
        self.feed(html)

    def form(self, wanted: str) -> Form | None:
        """By its id, or by how its address ends."""
        return next((one for one in self._forms if one.id == wanted or one.action.endswith(wanted)), None)

    def link(self, wanted: str) -> str | None:
        """The address of the link with this id."""
        hrefs = (one["href"] for one in self._elements if one.get("id") == wanted and "href" in one)
        return next((urljoin(self.url, href) for href in hrefs), None)

    @property
    def newest_order(self) -> str | None:
        """The address of the first order that is listed."""
        hrefs = (urljoin(self.url, one.get("href", "")) for one in self._elements)
        return next((href for href in hrefs if ORDER.fullmatch(urlsplit(href).path)), None)

    @property
    def payment_status(self) -> str:
        """Of the order that the page is about; empty if it is about none."""
        statuses = (one["data-payment-status"] for one in self._elements if "data-payment-status" in one)
        return next(statuses, "")

    @property
    def stock(self) -> dict[str, int]:
        """How many of each product, by slug, can be had; ninety-nine is the most of anything."""
        form = self.form("buy")
        slugs = (
            [name.removeprefix("quantity-") for name in form.fields if name.startswith("quantity-")]
            if form
            else []
        )
        shown = {one["id"]: one.get("data-available", "") for one in self._elements if "id" in one}
        return {slug: int(shown.get(f"stock-{slug}") or 99) for slug in slugs}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = {name: value or "" for name, value in attrs}
        self._elements.append(element)
        self._inside = element.get("id", "")
        if tag == "form":
            self._forms.append(Form(self._inside, urljoin(self.url, element.get("action", ""))))
        elif tag == "input" and self._forms and "name" in element and _counts(element):
            self._forms[-1].fields[element["name"]] = element.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "total":
            self.total = data.strip()


def _counts(field: dict[str, str]) -> bool:
    return field.get("type") not in ("radio", "checkbox") or "checked" in field
