"""Trouble on purpose, at set rates: with the webhooks here, with the shop's calls in bad_line.py.

All of it happens at Stripe, too, only seldom. What Stripe promises holds in spite of it: what was not
taken comes again, and a call that is made twice with one idempotency key acts once.
"""

import asyncio
import itertools
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from random import Random
from urllib.parse import urlsplit

from sandbox.stripe.config import ConfigError
from sandbox.stripe.deliveries import Delivery, Send

DELIVERIES = ("duplicate", "reorder", "delay", "drop", "corrupt")
CALLS = ("api_slow", "api_429", "api_500", "api_cut")
SECONDS = ("reorder_seconds", "delay_seconds", "api_slow_seconds")
MOST = dict.fromkeys(DELIVERIES + CALLS, 100) | dict.fromkeys(SECONDS, 600) | {"seed": 10**9}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rates:
    """Per cent of the deliveries, and of the calls (`api_…`), that each trouble befalls.

    A delivery is delayed by anything up to `delay_seconds`, and waits up to `reorder_seconds` for another one
    to overtake it. A slow call takes `api_slow_seconds`.
    """

    duplicate: float = 0
    reorder: float = 0
    delay: float = 0
    drop: float = 0
    corrupt: float = 0
    api_slow: float = 0
    api_429: float = 0
    api_500: float = 0
    api_cut: float = 0
    reorder_seconds: float = 5
    delay_seconds: float = 5
    api_slow_seconds: float = 5
    seed: float = 1

    @classmethod
    def from_text(cls, text: str) -> "Rates":
        """Read `duplicate=25 reorder=10 seed=7`; raises ConfigError."""
        pairs = (pair.partition("=") for pair in text.split())
        return cls().but({name: value for name, _, value in pairs})

    def but(self, changes: Mapping[str, object]) -> "Rates":
        """These with some changed, given as numbers or as text; raises ConfigError."""
        return replace(self, **{name: _number(name, value) for name, value in changes.items()})

    @property
    def calm(self) -> bool:
        return not any(getattr(self, trouble) for trouble in DELIVERIES + CALLS)


def _number(name: str, value: object) -> float:
    if name not in MOST:
        known = ", ".join(field.name for field in fields(Rates))
        raise ConfigError(f"There is no chaos called {name[:50]!r}, only {known}.")
    try:
        number = float(str(value))
    except ValueError:
        number = -1
    if not 0 <= number <= MOST[name]:
        raise ConfigError(f"{name} must be a number from 0 to {MOST[name]}.")
    return int(number) if number.is_integer() else number


class Chaos:
    """The dice. A seed gives the n-th delivery to a path, or the n-th call, the same fate again."""

    def __init__(self, rates: Rates) -> None:
        self._changed = asyncio.Event()
        self.change(rates)

    def change(self, rates: Rates) -> None:
        """From now on, and from the seed's beginning. What is being delayed goes on at once."""
        self.rates = rates
        self._dice: dict[str, Random] = {}
        self._changed.set()
        self._changed = asyncio.Event()

    def fate(self, whose: str, troubles: Iterable[str]) -> tuple[set[str], float]:
        """What befalls the next one, and how hard, from 0 to 1. Each trouble is thrown for, whatever its
        rate, so that the rate of one changes nothing about the others."""
        dice = self._dice.setdefault(whose, Random(f"{self.rates.seed} {whose}"))  # noqa: S311
        struck = {trouble for trouble in troubles if dice.random() * 100 < getattr(self.rates, trouble)}
        return struck, dice.random()

    async def pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)


class BadPost:
    """Stands between the post and what sends."""

    def __init__(self, send: Send, chaos: Chaos) -> None:
        self._send = send
        self._chaos = chaos
        self._turns = itertools.count()
        self._held: dict[str, tuple[int, asyncio.Event]] = {}
        self._damaged: set[tuple[str, str]] = set()

    async def __call__(self, delivery: Delivery) -> str:
        turn = next(self._turns)
        # By its path, so that a port that is another one each time changes nothing about the luck.
        fate, strength = self._chaos.fate(urlsplit(delivery.url).path, DELIVERIES)
        if fate:
            logger.info("%s chaos: %s", delivery.event_id, " ".join(sorted(fate)))
        if "delay" in fate:
            await self._chaos.pause(strength * self._chaos.rates.delay_seconds)
        if "reorder" in fate:
            await self._be_overtaken(delivery.url, turn)
        if "drop" in fate:
            return "dropped"
        outcome = await self._send(self._damage(delivery, strength) if "corrupt" in fate else delivery)
        if "duplicate" in fate:
            await self._send(delivery)
        self._overtake(delivery.url, turn)
        return outcome

    def _damage(self, delivery: Delivery, strength: float) -> Delivery:
        """One byte is changed; what was damaged the last time comes intact."""
        which = (delivery.event_id, delivery.url)
        if which in self._damaged:
            self._damaged.remove(which)
            return delivery
        self._damaged.add(which)
        body = bytearray(delivery.body.encode())
        body[int(strength * len(body))] ^= 1
        return replace(delivery, damaged=bytes(body))

    async def _be_overtaken(self, url: str, turn: int) -> None:
        if url in self._held:
            return  # one at a time, or all would wait for each other
        passed = asyncio.Event()
        self._held[url] = turn, passed
        with suppress(TimeoutError):
            await asyncio.wait_for(passed.wait(), self._chaos.rates.reorder_seconds)
        del self._held[url]

    def _overtake(self, url: str, turn: int) -> None:
        if url in self._held and self._held[url][0] < turn:
            self._held[url][1].set()
