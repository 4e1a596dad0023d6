"""Geometry of bar charts, in percent of the drawing as SVG writes it: so its words keep their size."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count

_LEAST = 1.0
"""Percent of the drawing: so much of a bar can be seen."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A minute or an hour. `start` by the shop's clock, `revenue` in minor units."""

    index: int
    start: datetime
    revenue: int
    payments: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Of the axis of time. A minor one is shown where there is room."""

    x: str
    start: datetime
    is_day: bool
    is_minor: bool


@dataclass(frozen=True, slots=True)
class Bar:
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis of values. It takes the part of the drawing from `top` on and `height` high."""

    top: float
    height: float
    ticks: list[int]
    """From zero to at least the largest value, evenly spaced."""

    @property
    def lines(self) -> list[str]:
        """Where each tick is."""
        return [self.bar(tick, least=0).y for tick in self.ticks]

    def bar(self, value: int, *, least: float = _LEAST) -> Bar:
        """From zero up to the value."""
        length = max(self.height * value / (self.ticks[-1] or 1), least)
        return Bar(percent(self.top + self.height - length), percent(length))


def percent(part: float, whole: float = 100) -> str:
    return f"{100 * part / whole:.2f}%"


def round_ticks(largest: int, *, most: int, unit: int = 1) -> list[int]:
    """Zero and at most `most` even steps, the last at or above `largest`; zero alone if that is zero.

    A step is 1, 2 or 5 times a power of ten of the unit.
    """
    if not largest:
        return [0]
    step = next(size for size in _round_sizes(unit) if size * most >= largest)
    return list(range(0, largest + step, step))


def _round_sizes(unit: int) -> Iterator[int]:
    return (digit * unit * 10**power for power in count() for digit in (1, 2, 5))
