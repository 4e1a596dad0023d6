import sys
from collections.abc import Callable

from sandbox import chromium, run, services
from sandbox.problem import Problem

USAGE = """python -m sandbox run                 the whole shop, until Ctrl-C
python -m sandbox services -- COMMAND  COMMAND beside a fresh PostgreSQL and Valkey
python -m sandbox chromium            find a browser for the tests, or say what to install"""

COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "run": run.main,
    "services": services.main,
    "chromium": chromium.main,
}


def main() -> int:
    command = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if command is None:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return command(sys.argv[2:])
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
