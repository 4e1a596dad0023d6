"""How much happens in a run, and what came of it."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens. A trouble lasts `longest` seconds at most."""

    deliveries: int
    at_once: int = 4
    pages: int = 60
    dashboards: int = 8
    longest: float = 1.5
    wave: int = 20
    """Pages that come and go at once, to see what stays of them."""
    rescue: float = 0
    """Seconds that the worker has in the end, for what one that died left undone."""


@dataclass(frozen=True, slots=True)
class Level:
    """What all web processes use."""

    descriptors: int
    memory: int  # bytes


@dataclass
class Result:
    seed: int
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    converged: list[float] = field(default_factory=list)
    """Seconds from healing until a page was true, of all pages after all troubles."""
    pushed: list[float] = field(default_factory=list)
    """Seconds from a payment's commit until all dashboards showed it, each time after all was mended."""
    asked: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each request, by what it was and what was going on."""
    levels: list[Level] = field(default_factory=list)
    """After each wave of pages; the first before anything happened."""
    logins: list[float] = field(default_factory=list)
    """Seconds that each took while a wave came back at once."""
    troubles: Counter[str] = field(default_factory=Counter)
    """How often each was caused, where that was possible."""
