"""How fast, how much: `python -m bench [latency] [fanout] …`. What is measured: docs/benchmarks.md."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from bench.report import Row, progress, show
from bench.stage import stage
from sandbox.interruptions import Interrupted, interruptions
from sandbox.problem import Problem

MEASUREMENTS = ("latency", "fanout", "memory", "webhooks", "reconciler", "dashboards")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("measurement", nargs="*", metavar="|".join(MEASUREMENTS), help="all if none is named")
    wanted = parser.parse_args(arguments).measurement or MEASUREMENTS
    if unknown := set(wanted) - set(MEASUREMENTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    try:
        with interruptions():
            run(wanted)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except Interrupted:
        return 130
    return 0


def run(wanted: Sequence[str]) -> None:
    with stage():
        rows: list[Row] = []
        try:
            for name in wanted:
                progress(f"{name} …")
                # Imported here: they use the shop's models, which need the stage's database.
                rows += importlib.import_module(f"bench.{name}").measure()
        finally:
            show(rows)  # what was measured stands, even if the next one failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
