"""How the programs of the shop are started, here and in the tests."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.environment import ROOT
from sandbox.processes import Process, answers


def daphne(port: int, *, env: Mapping[str, str], logs: Path, name: str = "daphne") -> Process:
    """The web process. Ready when `is_ready(port)`."""
    # Five hundred pages may come back at once; Daphne's own queue of 50 would keep the others out.
    endpoint = f"tcp:port={port}:interface=127.0.0.1:backlog=4096"
    command = [sys.executable, "-m", "daphne", "--endpoint", endpoint, "--websocket_connect_timeout", "20"]
    command += ["--websocket_timeout", "-1"]  # a page may stay open for weeks
    command += ["--no-server-name", "project.asgi:application"]
    return Process(name, command, logs=logs, env={**env, "PYTHONUNBUFFERED": "1"})


def is_ready(port: int) -> Callable[[], bool]:
    return answers(f"http://127.0.0.1:{port}/readyz")


def worker(*, env: Mapping[str, str], logs: Path, name: str = "worker") -> Process:
    """Does what the shop defers, and the reconciler's rounds. Wants the tables to be there."""
    command = [sys.executable, str(ROOT / "manage.py"), "procrastinate", "worker"]
    return Process(name, command, logs=logs, env={**env, "PYTHONUNBUFFERED": "1"})


def local_stripe(port: int, *, env: Mapping[str, str], logs: Path) -> Process:
    """Stripe's stand-in. Ready when `is_healthy(port)`."""
    env = {**env, "SANDBOX_STRIPE_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    return Process("stripe", [sys.executable, "-m", "sandbox.stripe"], logs=logs, env=env)


def is_healthy(port: int) -> Callable[[], bool]:
    return answers(f"http://127.0.0.1:{port}/healthz")


def prepare(*, env: Mapping[str, str], logs: Path) -> Process:
    """Migrates, seeds, makes the staff user, and ends."""
    return Process("prepare", [sys.executable, "-m", "sandbox.prepare"], logs=logs, env=env)
