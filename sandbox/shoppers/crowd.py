"""`python -m sandbox shoppers`: people come as they do, one by one and at random, until somebody stops it."""

import argparse
import asyncio
import contextlib
import itertools
import secrets
import signal
import ssl
import time
from collections import Counter
from math import inf
from random import Random
from urllib.parse import urlsplit

from sandbox.problem import Problem
from sandbox.shoppers.browser import Browser, NotTheSandbox
from sandbox.shoppers.people import Person
from sandbox.shoppers.visit import Visit

# Inside the shop at the same time; who comes then waits at the door.
AT_ONCE = 50


def main(arguments: list[str]) -> int:
    return buy(options_in(arguments))


def buy(options: argparse.Namespace) -> int:
    """Returns 0 when the time is over or somebody stopped it; raises Problem where they must not buy."""
    say(f"Buying at {options.shop} (--seed {options.seed}). Ctrl-C stops.")
    crowd = Crowd(options.shop, options.seed, options.thinking)
    try:
        asyncio.run(_until_stopped(crowd, options))
    except* NotTheSandbox as refusals:
        raise Problem(str(refusals.exceptions[0])) from None
    finally:
        say(crowd.summary())
    return 0


def options_in(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox shoppers",
        description="Buy as many people would, at a shop that has the local Stripe.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    option = parser.add_argument
    option("--shop", type=_address, default="http://127.0.0.1:8000", metavar="URL", help="where they buy")
    option("--per-minute", type=_above_zero, default=30, metavar="N", help="how many come")
    option("--minutes", type=_above_zero, default=inf, metavar="N", help="for how long")
    option("--visits", type=_above_zero, default=inf, metavar="N", help="how many come in all")
    option("--thinking", type=_seconds, default=4, metavar="SECONDS", help="between two steps, in the mean")
    option("--seed", type=int, default=secrets.randbelow(10**6), help="the same one brings the same people")
    return parser.parse_args(arguments)


def say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody may be reading any more
        print(text, flush=True)


def _above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number <= 100_000:
        raise ValueError
    return number


def _address(text: str) -> str:
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname:
        raise ValueError
    return text


def _seconds(text: str) -> float:
    return 0 if text == "0" else _above_zero(text)


async def _until_stopped(crowd: "Crowd", options: argparse.Namespace) -> None:
    here = asyncio.current_task()
    assert here is not None
    for stopper in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(stopper, here.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await crowd.come(options.per_minute, options.minutes, options.visits)


class Crowd:
    """Everybody who comes. `thinking` is in seconds."""

    def __init__(self, shop: str, seed: int, thinking: float) -> None:
        self._shop = shop
        self._seed = seed
        self._thinking = thinking
        self._started = time.monotonic()
        self._ends: Counter[str] = Counter()
        self._inside = 0
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tls = ssl.create_default_context()
        self._is_sandbox = False
        self._news = asyncio.Event()
        self._told = ""

    async def come(self, per_minute: float, minutes: float, visits: float) -> None:
        """Returns when the last one has left. Raises a group with NotTheSandbox."""
        dice = Random(f"{self._seed} arrivals")  # noqa: S311
        async with asyncio.TaskGroup() as inside:
            for number in itertools.count(1):
                await asyncio.sleep(dice.expovariate(per_minute / 60))
                if number > visits or time.monotonic() - self._started > 60 * minutes:
                    return
                await self._places.acquire()
                inside.create_task(self._visit(Person(self._seed, number)))
                if not self._is_sandbox:
                    # The first ones go alone, until one has been led to the local Stripe and not elsewhere.
                    self._news.clear()
                    await self._news.wait()

    def summary(self) -> str:
        seconds = time.monotonic() - self._started
        ends = ", ".join(f"{count} {end}" for end, count in self._ends.most_common()) or "nobody came"
        inside = f"; {self._inside} were still inside" if self._inside else ""
        return f"{self._ends.total()} visits in {seconds:.0f} s: {ends}{inside}."

    async def _visit(self, person: Person) -> None:
        self._inside += 1
        browser = Browser(self._shop, self._tls, self._tell)
        try:
            story = await Visit(person, browser, self._thinking, self._at_checkout).make()
            self._inside -= 1
            self._ends[story.end] += 1
            self._told = ""
            notes = f"  ({', then '.join(story.notes)})" if story.notes else ""
            say(f"{_now()}  #{person.number:<4} {story.end:<10} {story.total:>10}  {story.basket}{notes}")
        finally:
            self._places.release()
            self._news.set()
            await browser.close()

    def _at_checkout(self) -> None:
        self._is_sandbox = True
        self._news.set()

    def _tell(self, trouble: str) -> None:
        """Once, and not for each of those who wait."""
        if trouble != self._told:
            self._told = trouble
            say(f"{_now()}  {trouble}")


def _now() -> str:
    return time.strftime("%H:%M:%S")
