"""What dashboards show, and what they should: frames on the one hand, the database on the other."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from realtime.panels import render_panel
from shop.models import Order, PaymentStatus
from shop.models.clock import database_now

ROW = re.compile(rb'<li id="row-([0-9a-f-]{36})"[^>]*? data-version="([0-9]+)"')
NUMBERS = b'<section id="numbers"'
VERSION = re.compile(rb' data-version="[0-9]+"')


@dataclass(frozen=True, slots=True)
class Truth:
    """What the database says. `changed_at` is of a row's newest version, in seconds since 1970: just before
    the commit.
    """

    versions: Mapping[str, int]
    changed_at: Mapping[str, float]
    numbers: bytes

    @classmethod
    def about(cls, orders: Sequence[Order]) -> "Truth":
        """Raises RuntimeError if one of them is not paid."""
        as_of = database_now().timestamp()
        found = {str(order.public_id): order for order in Order.objects.filter(pk__in=[o.pk for o in orders])}
        if unpaid := [order for order in found.values() if order.payment_status != PaymentStatus.PAID]:
            raise RuntimeError(f"{len(unpaid)} of {len(found)} orders are not paid")
        return cls(
            {key: order.version for key, order in found.items()},
            {key: order.updated_at.timestamp() for key, order in found.items()},
            VERSION.sub(b"", render_panel("numbers", "", as_of).encode().strip()),
        )


@dataclass(slots=True)
class Screen:
    """One open page. `arrivals`: when each version of a row came first, by `time.perf_counter`."""

    versions: dict[str, int] = field(default_factory=dict)
    arrivals: dict[tuple[str, int], float] = field(default_factory=dict)
    numbers: bytes = b""

    def on_text(self, text: bytes, now: float) -> None:
        if row := ROW.search(text):
            key, version = row[1].decode(), int(row[2])
            self.versions[key] = version
            self.arrivals.setdefault((key, version), now)
        elif NUMBERS in text:
            self.numbers = VERSION.sub(b"", text)

    def shows(self, truth: Truth) -> bool:
        """Whether what came last of everything is what the database says."""
        rows = (self.versions.get(key) == version for key, version in truth.versions.items())
        return truth.numbers in self.numbers and all(rows)

    def lags(self, truth: Truth, orders: Sequence[Order], epoch: float) -> Iterator[float]:
        """Seconds that each of these was on its way; `epoch` is when `time.perf_counter` was 0."""
        for key in (str(order.public_id) for order in orders):
            if arrived := self.arrivals.get((key, truth.versions[key])):
                yield epoch + arrived - truth.changed_at[key]
