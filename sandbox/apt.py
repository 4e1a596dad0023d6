"""Debian's packages, where we may install them: as root, which in a container we often are."""

import os
import shutil
import subprocess


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
