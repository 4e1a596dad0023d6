import sys
from importlib import import_module

from sandbox.problem import Problem

USAGE = """python -m sandbox run                 the whole shop, until Ctrl-C
python -m sandbox services -- COMMAND  COMMAND beside a fresh PostgreSQL and Valkey
python -m sandbox shoppers            people who buy at a running shop; --help says how many
python -m sandbox demo                the same gently, and where to watch them
python -m sandbox chromium            find a browser for the tests, or say what to install
python -m sandbox nginx               the same for nginx"""

# By name, because none of them should wait for what only another one imports.
COMMANDS = {
    "run": "sandbox.run",
    "services": "sandbox.services",
    "shoppers": "sandbox.shoppers.crowd",
    "demo": "sandbox.shoppers.demo",
    "chromium": "sandbox.chromium",
    "nginx": "sandbox.nginx",
}


def main() -> int:
    command = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if command is None:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        code: int = import_module(command).main(sys.argv[2:])
        return code
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
