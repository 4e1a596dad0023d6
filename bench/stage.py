"""Where it is measured: a database of its own, and web processes started anew for each measurement."""

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import django
import psycopg
from psycopg import sql

from bench.report import progress
from sandbox.environment import ROOT, given, read_dotenv
from sandbox.ports import free_port
from sandbox.problem import Problem
from sandbox.processes import Process, answers

NEEDED = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
FILES = 8192
"""Open sockets and files that we and a web process may need."""


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    process: Process

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def resident(self) -> int:
        return resident(self.process)


@contextlib.contextmanager
def stage() -> Iterator[None]:
    """Within it, Django is set up on an empty migrated database that nobody else uses."""
    read_dotenv()
    if missing := [name for name in NEEDED if not given(name)]:
        raise Problem(f"Not set: {', '.join(missing)}. `make bench` brings all that is needed.")
    _allow_many_files()
    name = f"shopbell_bench_{os.getpid()}"
    with database(os.environ["DATABASE_URL"], name) as url:
        os.environ["DATABASE_URL"] = url
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        progress("Preparing a database …")
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, check=True)
        django.setup()
        yield


@contextlib.contextmanager
def server(
    application: str = "project.asgi:application", *, python: str = sys.executable, **env: str
) -> Iterator[Server]:
    """One fresh Daphne process, as `make run` starts it; `env` is what it finds beside our environment."""
    port = free_port()
    command = [python, "-m", "daphne", "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--websocket_timeout", "-1", "--no-server-name", application]
    env = {**os.environ, "PUBLIC_URL": f"http://127.0.0.1:{port}", "PYTHONUNBUFFERED": "1", **env}
    with tempfile.TemporaryDirectory(prefix="shopbell-bench-") as logs:
        process = Process("daphne", command, logs=Path(logs), env=env).start()
        try:
            process.wait_until(answers(f"http://127.0.0.1:{port}/healthz"))
            yield Server(port, process)
        finally:
            process.stop()


def resident(process: Process) -> int:
    """Bytes of memory that it has now."""
    statm = Path(f"/proc/{process.pid}/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    kilobytes = subprocess.check_output(["ps", "-o", "rss=", "-p", str(process.pid)], text=True)
    return int(kilobytes) * 1024


def computed(process: Process) -> float:
    """Seconds of a processor that it has had so far: of all measures the one that others spoil least."""
    stat = Path(f"/proc/{process.pid}/stat")
    if stat.exists():
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    clock = subprocess.check_output(["ps", "-o", "time=", "-p", str(process.pid)], text=True)
    minutes, _, seconds = clock.strip().rpartition(":")
    return int(minutes) * 60 + float(seconds)


@contextlib.contextmanager
def database(url: str, name: str) -> Iterator[str]:
    """The address of a new database on the same server; dropped afterwards."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise Problem(f"Only {hard} files may be open here: `ulimit -Hn {FILES}` before `make bench`.")
    if soft != resource.RLIM_INFINITY and soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
