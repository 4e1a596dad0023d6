"""`make faults`: the long version, with a report. `--seed N --worlds 1` plays one world again."""

import argparse
import asyncio
import resource
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.faults import plan
from tests.faults.broken.mutants import MUTANTS
from tests.faults.report import Report
from tests.faults.result import Result, Size
from tests.faults.run import run
from tests.faults.troubles import Trouble

FILES = 8192
SHOWS_IN = {
    "no_event_key": "A",
    "no_row_lock": "BG",  # PostgreSQL's unique keys refuse what would be wrong: a failure without a cause
    "no_ownership": "E",
    "no_version_guard": "C",
    "no_sweep": "D",
    "no_catch_up": "CD",  # who is not greeted may also be sent what is older than what she was shown
}
"""Which promises a shop breaks that is broken so."""
SHORT = Size(deliveries=700)
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
        rescue=150,
    )
    if options.short:
        size = SHORT
    kills = options.kills // options.worlds
    # First: what a checker says that sees nothing is worth nothing.
    for mutant in () if options.no_mutants else MUTANTS:
        report.add_mutant(mutant, _noticed(mutant, options.seed))
    for number in range(options.worlds):
        seed = options.seed + number
        without_valkey = options.worlds > 1 and number == options.worlds - 1
        troubles = plan.short(seed) if options.short else plan.long(seed, kills)
        troubles = [one for one in troubles if not (without_valkey and "Valkey" in one.name)]
        say(f"World {number + 1} of {options.worlds}, seed {seed}" + ", without Valkey" * without_valkey)
        report.add(_play(seed, troubles, size, without_valkey=without_valkey), without_valkey=without_valkey)
        report.write()  # whoever stops it later has so much
    say(report.text())
    report.write()
    return 0 if report.good else 1


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
        result.violations.append(f"A: the run ended before its end: {traceback.format_exc()}")
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
        size = replace(SHORT, longest=6)
        result = _play(seed + number, plan.short(seed + number), size, mutant=mutant)
        for violation in result.violations:
            if violation[0] in SHOWS_IN[mutant]:
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
    option("--worlds", type=int, default=8, help="how many")
    option("--deliveries", type=int, default=100_000, help="of webhooks, in all of them")
    option("--kills", type=int, default=200, help="of processes, in all of them")
    option("--sockets", type=int, default=500, help="open at a time")
    option("--short", action="store_true", help="worlds as small as those of the tests, by the same seeds")
    option("--no-mutants", action="store_true", help="leave out the broken shops")
    option("--report", type=Path, help="where to write it", metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
