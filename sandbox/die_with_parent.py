"""Become another program that the kernel ends when our parent dies, even by SIGKILL.

    python -m sandbox.die_with_parent [--signal KILL] [--parent PID] [--user NAME] -- COMMAND…

A program in between and no `preexec_fn`, which is unsafe beside threads. Linux only; elsewhere the command
runs all the same, and only a SIGKILL of the parent leaves it behind.
"""

import argparse
import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.die_with_parent")
    parser.add_argument("--signal", default="KILL")
    parser.add_argument("--parent", type=int, default=os.getppid())
    parser.add_argument("--user")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    # In this order: the kernel forgets the death signal when the user changes.
    if options.user:
        become(options.user)
    if sys.platform == "linux":
        die_with_parent(signal.Signals[f"SIG{options.signal}"], options.parent)
    os.execvp(options.command[0], options.command)  # noqa: S606  the caller's command is the point


def become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with_parent(death_signal: signal.Signals, parent: int) -> None:
    """Ask for `death_signal` when the thread that started us ends.

    A parent that died before the kernel knew our wish is noticed by its changed process id.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
