"""Asking Stripe for much, as often as it lets us and no longer than it makes sense."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import stripe

Answer = TypeVar("Answer")

WAITS = (1, 2, 4, 8, 16)
"""Seconds to keep still after one 429, after the next, … The SDK retries much else, but never these."""
LONGEST_WAIT = 30
"""Seconds that we let Stripe tell us to wait."""
AWAY = 5
"""Requests in a row without an answer after which Stripe counts as away."""


class OutOfPatience(Exception):
    """There is no use in asking on now; the text says why."""


@dataclass(slots=True)
class Patience:
    """`until`: when asking has to end, by the running event loop's clock."""

    until: float = float("inf")
    _still_until: float = 0
    _silences: int = 0

    async def ask(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """What Stripe answers. Raises OutOfPatience, and what `call` raises but for a 429."""
        for wait in WAITS:
            await self._keep_still()
            try:
                answer = await call()
            except stripe.RateLimitError as error:
                self._be_still(_told_to_wait(error) or wait * random.uniform(0.7, 1.3))  # noqa: S311
            except (stripe.APIConnectionError, stripe.APIError, TimeoutError):
                self._silences += 1
                raise
            else:
                self._silences = 0
                return answer
        raise OutOfPatience("Stripe allows no more requests for now.")

    def now(self) -> float:
        """By the running event loop's clock."""
        return asyncio.get_running_loop().time()

    def halfway(self) -> float:
        """When half of the time from now on is over."""
        return (self.now() + self.until) / 2

    def check(self) -> None:
        """Raises OutOfPatience when the time is over, or Stripe away."""
        if self._silences >= AWAY:
            raise OutOfPatience("Stripe does not answer.")
        if self.now() >= self.until:
            raise OutOfPatience("The time is over; the rest comes next time.")

    def _be_still(self, seconds: float) -> None:
        # For everybody who asks: what one was refused for, the others would be, too.
        self._still_until = max(self._still_until, self.now() + seconds)

    async def _keep_still(self) -> None:
        self.check()
        while (wait := self._still_until - self.now()) > 0:
            if self._still_until >= self.until:
                raise OutOfPatience("Stripe lets nobody ask until the time is over.")
            await asyncio.sleep(wait)


def _told_to_wait(error: stripe.StripeError) -> float:
    """Seconds by Stripe's header; 0 if it does not say."""
    told = (error.headers or {}).get("retry-after", "")
    return min(float(told), LONGEST_WAIT) if told.isascii() and told.isdigit() else 0
