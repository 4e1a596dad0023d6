"""TCP ports of this machine."""

import os
import socket
import sys
from pathlib import Path

from sandbox.problem import Problem

DEFAULTS = {"PORT": 8000, "SANDBOX_STRIPE_PORT": 12111}


def free_port() -> int:
    """One that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wanted_port(variable: str) -> int:
    """The port that `variable` asks for. Raises Problem when that is no port, or somebody has it already."""
    text = os.environ.get(variable) or str(DEFAULTS[variable])
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise Problem(f"{variable} must be a port number from 1 to 65535, not {text!r}.")
    port = int(text)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Problem(
                f"Port {port} cannot be used ({error.strerror}): stop what listens there,"
                f" or choose another one, for example `{variable}={port + 1} make run`."
            ) from None
    return port


def main() -> int:
    """Before anything is installed: are the ports of `make run` free?

    With a `.env`, which may say otherwise and cannot be read yet, that is for the runner to find out.
    """
    if Path(".env").exists():
        return 0
    try:
        wanted_port("PORT")
        if not os.environ.get("STRIPE_SECRET_KEY"):
            wanted_port("SANDBOX_STRIPE_PORT")
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
