"""A command beside fresh servers that vanish with it: how tests and checks run."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from sandbox import die_with_parent
from sandbox.embedded import Embedded
from sandbox.environment import ONE_NETWORK, given
from sandbox.interruptions import Interrupted, ignore_interruptions, interruptions
from sandbox.kept_secrets import new_secret

# Tests and benchmarks also do in a minute, as one shopper, what others do in a year.
NO_LIMITS = {**ONE_NETWORK, "CHECKOUT_RATE": "", "CHECK_RATE": ""}
SECRETS = ("SECRET_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")


def main(arguments: list[str]) -> int:
    """Run `[--durable] -- COMMAND…`; its exit code is ours. Durable servers are slower, as in life."""
    durable = arguments[:1] == ["--durable"]
    command = arguments[1:] if durable else arguments
    command = command[1:] if command[:1] == ["--"] else command
    if not command:
        print("python -m sandbox services [--durable] -- COMMAND…", file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="shopbell-"))
    directory.chmod(0o711)  # PostgreSQL may run as somebody else, who passes through
    with interruptions():
        embedded = Embedded(directory, logs=directory / "logs", durable=durable)
        try:
            embedded.start().wait_until_ready()
            return _run(command, _environment(embedded))
        except Interrupted:
            return 130
        finally:
            ignore_interruptions()
            embedded.stop()
            embedded.discard()
            shutil.rmtree(directory, ignore_errors=True)


def _environment(embedded: Embedded) -> dict[str, str]:
    secrets = {name: given(name) or new_secret(name) for name in SECRETS}
    return {**NO_LIMITS, **os.environ, **secrets, **embedded.env}


def _run(command: list[str], env: dict[str, str]) -> int:
    wrapper = [sys.executable, "-I", "-S", die_with_parent.__file__, "--parent", str(os.getpid()), "--"]
    child = subprocess.Popen([*wrapper, *command], env=env)
    while True:
        try:
            with interruptions():  # each one anew
                code = child.wait()
            return code if code >= 0 else 128 - code
        except Interrupted as interrupted:
            # A Ctrl-C went to the child as well, whose last words come first; the others were for us alone.
            if interrupted.by is not signal.SIGINT:
                _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
