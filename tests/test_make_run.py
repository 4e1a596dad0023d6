"""What `make run` promises, asked of the real thing: every test starts the whole shop or is refused by it."""

import http.client
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.data_dir import DataDir
from sandbox.kept_secrets import kept_secrets
from sandbox.ports import free_port
from sandbox.postgres import Postgres
from sandbox.processes import Process
from sandbox.valkey import Valkey

# A developer's own settings, in .env or around the tests, must not decide here. Empty counts as unset.
SETTINGS = ["DATABASE_URL", "DATABASE_SESSION_OPTIONS", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL"]
SETTINGS += ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"]
SETTINGS += ["STAFF_USERNAME", "STAFF_PASSWORD", "EMAIL_URL"]
UNSET = dict.fromkeys(SETTINGS, "")


class Runner:
    """`python -m sandbox run` on free ports, with its data in `data_dir`."""

    def __init__(self, data_dir: Path, logs: Path, **env: str) -> None:
        self.port = free_port()
        env = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **UNSET,
            "PORT": str(self.port),
            "SANDBOX_STRIPE_PORT": str(free_port()),
            "DATA_DIR": str(data_dir),
            **env,
        }
        self.process = Process("run", [sys.executable, "-m", "sandbox", "run"], logs=logs, env=env)

    def start(self) -> "Runner":
        self.process.start()
        return self

    def wait_until_ready(self) -> "Runner":
        ready = f"Shop ready at http://127.0.0.1:{self.port}/"
        self.process.wait_until(lambda: ready in self.lines, timeout=60)
        return self

    @property
    def lines(self) -> list[str]:
        return self.process.log.read_text().splitlines()

    def line(self, beginning: str) -> str:
        return next(line for line in self.lines if line.startswith(beginning))

    def refusal(self) -> str:
        """What it says when it does not start."""
        self.start()
        assert self.process.wait(20)
        assert self.process.exit_code == 1
        return self.process.log.read_text()

    def status(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    # As root the database may lie elsewhere, with a link to it.
    shutil.rmtree((tmp_path / "data" / "postgres").resolve(), ignore_errors=True)


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; only Linux can promise it")


@on_linux
def test_a_killed_runner_leaves_no_process_and_the_next_run_finds_its_data(
    data_dir: Path, tmp_path: Path
) -> None:
    first = Runner(data_dir, tmp_path).start().wait_until_ready()
    assert first.status("/") == 200
    assert first.status("/admin/login/") == 200
    database = f"postgresql://shopbell@/shopbell?host={(data_dir / 'postgres').resolve()}"
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE keepsake AS SELECT 'still here' AS word")
    started = family(first.process.pid)
    assert len(started) > 4  # PostgreSQL with its helpers, Valkey, Stripe, Daphne

    assert first.line("Staff login: staff / ")
    logins = [line for line in first.lines if " / " in line]
    assert len(logins) == 4

    first.process.kill(signal.SIGKILL)
    until(lambda: not alive(started))

    second = Runner(data_dir, tmp_path).start().wait_until_ready()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT word FROM keepsake").fetchall() == [("still here",)]
    assert [line for line in second.lines if " / " in line] == logins
    started = family(second.process.pid)
    second.process.kill(signal.SIGINT)
    assert second.process.wait(15)
    assert second.process.exit_code == 0
    assert alive(started) == set()


@on_linux
def test_servers_that_the_environment_names_are_used_and_a_dying_part_ends_the_run(
    data_dir: Path, tmp_path: Path
) -> None:
    postgres = Postgres(data_dir / "postgres", logs=tmp_path, durable=False).start().wait_until_ready()
    valkey = Valkey(tmp_path / "valkey", logs=tmp_path).start().wait_until_ready()
    runner = Runner(
        data_dir / "own", tmp_path, DATABASE_URL=postgres.url, REDIS_URL=valkey.url, STAFF_PASSWORD="sesame"
    )
    try:
        runner.start().wait_until_ready()
        assert not [line for line in runner.lines if "PostgreSQL" in line or "Valkey" in line]
        assert "sesame" not in runner.process.log.read_text()
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT count(*) FROM shop_product").fetchone() == (3,)
        parts = family(runner.process.pid)
        os.kill(the_one(parts, "daphne"), signal.SIGKILL)
        assert runner.process.wait(15)
    finally:
        runner.process.stop()
        valkey.stop()
        postgres.stop()
    assert runner.process.exit_code == 1
    assert runner.line("daphne was killed by SIGKILL")
    assert alive(parts) == set()


def test_a_database_in_use_is_not_waited_for(data_dir: Path, tmp_path: Path) -> None:
    """As PostgreSQL has it, who asks for a lock and waits holds up all who come later."""
    postgres = Postgres(data_dir / "postgres", logs=tmp_path, durable=False).start().wait_until_ready()
    runner = Runner(data_dir / "own", tmp_path, DATABASE_URL=postgres.url)
    try:
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE TABLE django_migrations (id int, app text, name text, applied time)")
            connection.commit()
            connection.execute("LOCK TABLE django_migrations")
            refusal = runner.refusal()
    finally:
        postgres.stop()
    assert "A table was in use for longer than 3s." in refusal
    assert 'File "' not in refusal, "a person reads it, who needs no traceback"


@pytest.mark.parametrize("variable", ["PORT", "SANDBOX_STRIPE_PORT"])
def test_a_busy_port_is_named_with_the_variable_that_changes_it(
    variable: str, data_dir: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        refusal = Runner(data_dir, tmp_path, **{variable: str(port)}).refusal()
    assert refusal.startswith(f"Port {port} cannot be used")
    assert f"{variable}={port + 1} make run" in refusal
    assert len(refusal.splitlines()) == 1
    assert not data_dir.exists()


def test_a_second_runner_on_the_same_data_is_refused(data_dir: Path, tmp_path: Path) -> None:
    first = DataDir(data_dir)
    refusal = Runner(data_dir, tmp_path).refusal()
    assert refusal.startswith(f"The shop already runs on {first.path} (process {os.getpid()})")
    assert len(refusal.splitlines()) == 1


def test_real_stripe_keys_without_a_webhook_secret_are_told_where_to_get_it(
    data_dir: Path, tmp_path: Path
) -> None:
    runner = Runner(data_dir, tmp_path, STRIPE_SECRET_KEY="sk_test_real")
    assert f"stripe listen --forward-to localhost:{runner.port}/stripe-webhook/" in runner.refusal()


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    made = kept_secrets(tmp_path / "secrets.env")
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert made["STRIPE_WEBHOOK_SECRET"].startswith("whsec_")
    assert kept_secrets(tmp_path / "secrets.env") == made


def family(pid: int) -> set[int]:
    """Every process that `pid` started, and what those started."""
    parents = {child: parent for child in map(int, pids()) if (parent := parent_of(child))}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(processes: set[int]) -> set[int]:
    return {process for process in processes if parent_of(process) is not None}


def pids() -> list[str]:
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def parent_of(pid: int) -> int | None:
    """None when there is no such process any more, or only its exit code is left."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def the_one(processes: set[int], word: str) -> int:
    (found,) = (pid for pid in processes if word in Path(f"/proc/{pid}/cmdline").read_text())
    return found


def until(condition: Callable[[], bool], timeout: float = 15) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
