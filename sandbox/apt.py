"""Debian's packages, where we may install them: as root, which in a container we often are."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def find_or_install(find: Callable[[], Path | None], package: str | None, what_to_install: str) -> int:
    """Exit code of a command that wants a program for tests: 1 only in CI, for elsewhere they are skipped.

    Without a package it is looked for and no more.
    """
    if find() or (package and install(package) and find()):
        return 0
    print(what_to_install, file=sys.stderr)
    if must_be_there():
        return 1
    print("Those tests are skipped.", file=sys.stderr)
    return 0


def install(package: str) -> bool:
    """Whether it could be installed. Says so before, because it takes a while."""
    if os.geteuid() or not shutil.which("apt-get"):
        return False
    print(f"Installing {package} …", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    get = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", package]
    for command in (get, ["apt-get", "update", "--quiet"], get):
        done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=False)
        if command is get and done.returncode == 0:
            return True
    return False


def must_be_there() -> bool:
    """In CI a test that is skipped because something is not installed is a failure."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
