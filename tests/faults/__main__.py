"""`make faults`: the long version, with a report. What plays a world again is said when it begins."""

import argparse
import asyncio
import re
import resource
import secrets
import shutil
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.faults import plan
from tests.faults.broken.mutants import MUTANTS
from tests.faults.promises import BROKEN_OFF, PUSHED
from tests.faults.report import Report
from tests.faults.result import Result, Size
from tests.faults.run import run
from tests.faults.troubles import Trouble

FILES = 8192
SHOWS_IN = {
    "no_event_key": "A:",
    # PostgreSQL's unique keys refuse what would be wrong.
    "no_row_lock": r"B:|G: \S+ was answered with 500",
    "no_ownership": "E: .* shown ",
    "no_second_look": "E: .* session",
    "no_version_guard": "C:",
    "no_sweep": "D:",
    "no_catch_up": "[CD]:",  # who is not greeted may also be sent what is older than what she was shown
    "no_push": "H:",
    "no_reconciler": r"B: no worker .* events",
}
"""Which promises a shop breaks that is broken so, and how."""
SHORT = Size(deliveries=700)
RESCUE = 150.0
"""Seconds: what a worker had in its hands that was killed waits for two minutes."""
MUTANT_SEEDS = 3
"""Worlds that a broken shop gets to show it in."""


def main() -> int:
    """1 if a promise was broken, or a broken shop was not noticed."""
    options = _options()
    _allow_many_files()
    report = Report(options.report)
    size = Size(
        deliveries=options.deliveries // options.worlds,
        at_once=8,
        pages=options.sockets,
        dashboards=8,
        longest=60,
        wave=options.sockets,
        rescue=RESCUE,
    )
    if options.short:
        size = SHORT
    kills = options.kills // options.worlds
    for number in range(options.worlds):
        seed = options.seed + number
        without_valkey = options.without_valkey or (options.worlds > 1 and number == options.worlds - 1)
        troubles = plan.short(seed) if options.short else plan.long(seed, kills)
        troubles = [one for one in troubles if not (without_valkey and "Valkey" in one.name)]
        again = _once_more(seed, size, kills, short=options.short, without_valkey=without_valkey)
        say(f"World {number + 1} of {options.worlds}: {again}")
        report.add(_play(seed, troubles, size, without_valkey=without_valkey), without_valkey=without_valkey)
        report.write()  # whoever stops it later has so much
    # What a checker says that sees nothing is worth nothing.
    for mutant in () if options.no_mutants else MUTANTS:
        report.add_mutant(mutant, _noticed(mutant, options.seed))
    say(report.text())
    report.write()
    return 0 if report.good else 1


def _once_more(seed: int, size: Size, kills: int, *, short: bool, without_valkey: bool) -> str:
    """What plays this world again, and no other."""
    how = "--short" if short else f"--deliveries {size.deliveries} --kills {kills} --sockets {size.pages}"
    return f"--worlds 1 --seed {seed} {how} --no-mutants" + " --without-valkey" * without_valkey


def _play(
    seed: int, troubles: Sequence[Trouble], size: Size, *, mutant: str = "", without_valkey: bool = False
) -> Result:
    directory = Path(tempfile.mkdtemp(prefix="shopbell-faults-"))
    directory.chmod(0o711)  # PostgreSQL may run as somebody else, who passes through
    result = Result(seed)
    try:
        asyncio.run(
            run(directory, result, troubles, size, mutant=mutant, without_valkey=without_valkey, say=say)
        )
    except Exception:  # noqa: BLE001  the other worlds are still to be played
        result.violations.append(f"{BROKEN_OFF}: the run ended before its end: {traceback.format_exc()}")
    if result.pushed and (seconds := statistics.median(result.pushed)) > PUSHED:
        result.violations.append(f"H: a payment took {seconds:.1f} s to the dashboards, every second time")
    for violation in result.violations[:20]:
        say(f"  {violation}")
    if result.violations and not mutant:
        say(f"  {len(result.violations)} broken promises; {directory}/history.jsonl has it all")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return result


def _noticed(mutant: str, seed: int) -> str:
    """A promise that was broken as it must be in such a shop; empty if there was none."""
    say(f"A shop with {mutant.replace('_', ' ')}")
    for number in range(MUTANT_SEEDS):
        # Longer than in the tests, so that something is missed while nobody looks.
        size = replace(SHORT, longest=6, rescue=RESCUE if mutant == "no_reconciler" else 0)
        result = _play(seed + number, plan.short(seed + number), size, mutant=mutant)
        for violation in result.violations:
            if re.match(SHOWS_IN[mutant], violation):
                return violation
    return ""


def _allow_many_files() -> None:
    """For us and, by inheritance, for all that we start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)  # noqa: T201  it takes more than an hour


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    option = parser.add_argument
    option(
        "--seed", type=int, default=secrets.randbelow(10**6), help="of the first world; the next ones follow"
    )
    option("--worlds", type=int, default=4, help="how many")
    option("--deliveries", type=int, default=100_000, help="of webhooks, in all of them")
    option("--kills", type=int, default=200, help="of processes, in all of them")
    option("--sockets", type=int, default=500, help="open at a time")
    option("--short", action="store_true", help="worlds as small as those of the tests, by the same seeds")
    option("--without-valkey", action="store_true", help="at all; else the last of several worlds is so")
    option("--no-mutants", action="store_true", help="leave out the broken shops")
    option("--report", type=Path, help="where to write it", metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
