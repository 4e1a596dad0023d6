"""The embedded servers, through the doors that the shop uses."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from sandbox.postgres import SESSION_OPTIONS, Postgres
from sandbox.problem import Problem
from sandbox.processes import Process
from sandbox.valkey import Valkey


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "postgres", logs=tmp_path, durable=True)
    yield server
    server.stop()
    shutil.rmtree(server.directory)


def test_postgres_keeps_its_data_when_it_is_killed_and_its_number_goes_to_somebody_else(
    postgres: Postgres,
) -> None:
    postgres.start().wait_until_ready()
    with psycopg.connect(postgres.url, options=SESSION_OPTIONS) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    postgres.process.kill(signal.SIGKILL)
    assert postgres.process.wait(5)

    pid_file = postgres.data / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(str(postgres.process.pid), str(os.getppid()), 1))
    postgres.start().wait_until_ready()
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_postgres_listens_on_no_port_and_lets_only_us_in(postgres: Postgres) -> None:
    postgres.start().wait_until_ready()
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    assert postgres.directory.stat().st_mode & 0o077 == 0
    assert (postgres.directory / "pg_hba.conf").read_text().split()[3] == "peer"


def test_a_data_directory_in_use_is_one_sentence(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres.start().wait_until_ready()
    monkeypatch.setattr("sandbox.postgres.PREDECESSOR_SECONDS", 0.1)
    second = Postgres(postgres.directory, logs=postgres.logs / "second")
    with pytest.raises(Problem, match=f"process {postgres.process.pid}.* choose another DATA_DIR"):
        second.start()


def test_servers_with_a_long_way_to_their_data_still_have_a_socket(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path / ("deep" * 30), logs=tmp_path).start().wait_until_ready()
    try:
        with redis.Redis.from_url(valkey.url) as client:
            assert client.config_get("save") == {"save": ""}
            assert client.config_get("port") == {"port": "0"}
    finally:
        valkey.stop()
    assert not valkey.socket.parent.exists()


def services(*command: str, logs: Path, **env: str) -> Process:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    line = [sys.executable, "-m", "sandbox", "services", "--", *command]
    return Process("services", line, logs=logs, env={**inherited, **env})


def test_a_command_beside_fresh_servers_hands_back_its_exit_code(tmp_path: Path) -> None:
    show = 'echo "$DATABASE_URL" "$REDIS_URL" "${STRIPE_SECRET_KEY%_*}" "$DATABASE_SESSION_OPTIONS"; exit 7'
    beside = services("sh", "-c", show, logs=tmp_path).start()
    assert beside.wait(30)
    assert beside.exit_code == 7
    database, cache, key, options = beside.log.read_text().strip().split(" ", 3)
    assert database.startswith("postgresql://")
    assert cache.startswith("unix://")
    assert key == "sk_test"
    assert "transaction_timeout" in options
    assert not Path(cache.removeprefix("unix://")).parent.exists()


def test_a_named_server_is_used_instead_of_a_fresh_one(tmp_path: Path) -> None:
    named = {"DATABASE_URL": "postgresql://db.example/shop", "REDIS_URL": "redis://cache.example"}
    beside = services("sh", "-c", 'echo "$DATABASE_URL" "$REDIS_URL"', logs=tmp_path, **named).start()
    assert beside.wait(30)
    assert beside.log.read_text().split() == list(named.values())


def test_a_command_beside_servers_ends_with_them(tmp_path: Path) -> None:
    named = {"DATABASE_URL": "postgresql://db.example/shop", "REDIS_URL": "redis://cache.example"}
    beside = services("sh", "-c", "echo up; exec sleep 60", logs=tmp_path, **named).start()
    beside.wait_until(lambda: "up" in beside.log_tail())
    beside.ask_to_stop()
    assert beside.wait(10)
    assert beside.exit_code == 128 + signal.SIGTERM


def test_the_ports_are_looked_at_before_anything_is_installed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        looked = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                "import sys; sys.path.insert(0, '.'); from sandbox.ports import main; sys.exit(main())",
            ],
            env={"PORT": port},
            capture_output=True,
            text=True,
            check=False,
        )
    assert looked.returncode == 1
    assert looked.stderr.startswith(f"Port {port} cannot be used")
