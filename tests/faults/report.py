"""The report of the long version, for docs/faults.md."""

import math
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.faults.promises import AT_MOST, BROKEN_OFF, LOG_IN, PROMISES
from tests.faults.result import Result

INTRODUCTION = """# Faults: the long run

`make faults` starts whole shops, one after the other: PostgreSQL, Valkey, the local Stripe, a worker, and
two web processes behind nginx where that is installed. In each, people buy, pay, watch and refund, all by a
seed; a quarter of the webhooks comes twice, some in another order, some damaged, some a month late, and some
never: the reconciler has to find those. Then
one thing after the other is broken and mended, and after each it is measured how long it takes until every
open page is true again. In the end the database, Stripe's own books, the e-mails and what the pages were
sent are compared, by a checker that shares no code with the shop ([tests/faults/](../tests/faults/)). The
last table is of shops that were broken on purpose.

`make test` plays three small worlds of this. `make faults ARGS="--report docs/faults.md"` writes this page
anew."""


FEW = 10
"""Log-ins of which one alone says nothing."""


class Report:
    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._began = time.time()
        self._results: list[Result] = []
        self._without_valkey: list[int] = []
        self._noticed: dict[str, str] = {}

    @property
    def good(self) -> bool:
        return not sum(self._broken().values()) and all(self._noticed.values())

    def add(self, result: Result, *, without_valkey: bool) -> None:
        self._results.append(result)
        if without_valkey:
            self._without_valkey.append(result.seed)

    def add_mutant(self, mutant: str, violation: str) -> None:
        self._noticed[mutant] = violation

    def write(self) -> None:
        if self._path:
            self._path.write_text(self.text())

    def text(self) -> str:
        sections = [self._head(), self._promises(), self._what_happened(), self._speed(), self._mutants()]
        return "\n\n".join(section for section in sections if section) + "\n"

    def _head(self) -> str:
        minutes = (time.time() - self._began) / 60
        seeds = ", ".join(str(result.seed) for result in self._results)
        return (
            f"{INTRODUCTION}\n\n"
            f"The run of {time.strftime('%Y-%m-%d')}: {minutes:.0f} minutes, {os.cpu_count()} cores"
            f" ({_processor()}), Python {platform.python_version()}. Worlds with seeds {seeds}."
        )

    def _promises(self) -> str:
        broken = self._broken()
        rows = [f"| {letter} | {promise} | {broken[letter]} |" for letter, promise in PROMISES.items()]
        if broken[BROKEN_OFF]:
            rows.append(f"| | a world comes to its end | {broken[BROKEN_OFF]} |")
        return "\n".join(["| | promise | broken |", "|---|---|--:|", *rows])

    def _broken(self) -> Counter[str]:
        broken = Counter(violation[0] for result in self._results for violation in result.violations)
        without = [most_of(asked, 0.99) for what, asked in self._asked().items() if _is_without_valkey(what)]
        broken["H"] += sum(seconds > AT_MOST for seconds in without)
        logins = self._logins()
        broken["H"] += len(logins) >= FEW and most_of(logins, 0.9) > LOG_IN
        return broken

    def _logins(self) -> list[float]:
        return [seconds for result in self._results for seconds in result.logins]

    def _asked(self) -> dict[str, list[float]]:
        asked: dict[str, list[float]] = {}
        for result in self._results:
            for what, seconds in result.asked.items():
                asked.setdefault(what, []).extend(seconds)
        return asked

    def _what_happened(self) -> str:
        counts: Counter[str] = sum((result.counts for result in self._results), Counter())
        deliveries = counts["delivery"] + counts["damaged delivery"]
        lines = [
            f"{deliveries:,} deliveries of webhooks, {counts['damaged delivery']:,} of them damaged and"
            f" {counts['repeated delivery']:,} of what had been taken before; {counts['held back']:,} events"
            f" a month late, {counts['lost on the way']:,} lost on the way and sent again,"
            f" {counts['lost for good']:,} lost for good; {counts['request']:,} requests of shoppers, staff"
            f" and payers; {counts['killed']} processes killed.",
        ]
        if counts["not possible here"]:
            lines.append(f"{counts['not possible here']} troubles were not possible on this machine.")
        if self._without_valkey:
            lines.append(f"The world with seed {self._without_valkey[0]} had no Valkey at all.")
        troubles: Counter[str] = sum((result.troubles for result in self._results), Counter())
        rows = [f"| {name} | {times} |" for name, times in sorted(troubles.items())]
        return "\n".join([*lines, "", "| trouble | times |", "|---|--:|", *rows])

    def _speed(self) -> str:
        converged = [seconds for result in self._results for seconds in result.converged]
        asked = self._asked()
        rows = [
            _row("that a page was stale after healing", converged),
            _row("a log-in while all pages come back at once", self._logins()),
            _row(
                "from a payment's commit to all dashboards, all being mended",
                [seconds for result in self._results for seconds in result.pushed],
            ),
            *(_row(what, asked[what]) for what in sorted(asked) if _is_told(what)),
        ]
        return "\n".join(["| seconds | times | p50 | p99 | most |", "|---|--:|--:|--:|--:|", *rows])

    def _mutants(self) -> str:
        if not self._noticed:
            return ""
        rows = [
            f"| {name.replace('_', ' ')} | {noticed or '**not noticed**'} |"
            for name, noticed in self._noticed.items()
        ]
        return "\n".join(["| a shop with | was noticed by |", "|---|---|", *rows])


def _is_told(what: str) -> bool:
    of, _, during = what.partition(" during ")
    return of in ("webhook", "checkout") and (during == "nothing" or "Valkey" in during)


def _is_without_valkey(what: str) -> bool:
    return _is_told(what) and "Valkey" in what


def most_of(seconds: Sequence[float], part: float) -> float:
    """Within so many seconds that part of them was over."""
    return sorted(seconds)[math.ceil(len(seconds) * part) - 1]


def _row(what: str, seconds: Sequence[float]) -> str:
    if not seconds:
        return f"| {what} | 0 | | | |"
    p50, most = statistics.median(seconds), max(seconds)
    return f"| {what} | {len(seconds):,} | {p50:.3f} | {most_of(seconds, 0.99):.3f} | {most:.3f} |"


def _processor() -> str:
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return models[0].partition(":")[2].strip() if models else platform.machine()
