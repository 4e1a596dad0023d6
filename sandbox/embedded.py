import shutil
from pathlib import Path

from sandbox.environment import given
from sandbox.postgres import SESSION_OPTIONS, Postgres
from sandbox.processes import Process
from sandbox.valkey import Valkey


class Embedded:
    """PostgreSQL unless DATABASE_URL names one, Valkey unless REDIS_URL does.

    `env` is what makes the shop use them.
    """

    def __init__(self, directory: Path, *, logs: Path, durable: bool = True) -> None:
        self.valkey = None if given("REDIS_URL") else Valkey(directory / "valkey", logs=logs)
        self.postgres = (
            None if given("DATABASE_URL") else Postgres(directory / "postgres", logs=logs, durable=durable)
        )
        self.env: dict[str, str] = {}
        if self.valkey:
            self.env["REDIS_URL"] = self.valkey.url
        if self.postgres:
            self.env["DATABASE_URL"] = self.postgres.url
            self.env["DATABASE_SESSION_OPTIONS"] = given("DATABASE_SESSION_OPTIONS") or SESSION_OPTIONS

    @property
    def processes(self) -> list[Process]:
        return [server.process for server in (self.postgres, self.valkey) if server]

    def start(self) -> "Embedded":
        """Both at once. Does not wait."""
        for server in (self.valkey, self.postgres):
            if server:
                server.start()
        return self

    def wait_until_ready(self) -> "Embedded":
        for server in (self.valkey, self.postgres):
            if server:
                server.wait_until_ready()
        return self

    def stop(self) -> None:
        for process in self.processes:
            process.ask_to_stop()
        for server in (self.valkey, self.postgres):
            if server:
                server.stop()

    def discard(self) -> None:
        """Throw the data away, wherever it had to be put."""
        if self.postgres:
            shutil.rmtree(self.postgres.directory, ignore_errors=True)
        if self.valkey:
            shutil.rmtree(self.valkey.directory, ignore_errors=True)
