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
        self.servers: list[Postgres | Valkey] = []
        self.env: dict[str, str] = {}
        if not given("REDIS_URL"):
            valkey = Valkey(directory / "valkey", logs=logs)
            self.servers.append(valkey)
            self.env["REDIS_URL"] = valkey.url
        if not given("DATABASE_URL"):
            postgres = Postgres(directory / "postgres", logs=logs, durable=durable)
            self.servers.append(postgres)
            self.env["DATABASE_URL"] = postgres.url
            self.env["DATABASE_SESSION_OPTIONS"] = given("DATABASE_SESSION_OPTIONS") or SESSION_OPTIONS

    @property
    def processes(self) -> list[Process]:
        return [server.process for server in self.servers]

    def start(self) -> "Embedded":
        """All at once. Does not wait."""
        for server in self.servers:
            server.start()
        return self

    def wait_until_ready(self) -> "Embedded":
        for server in self.servers:
            server.wait_until_ready()
        return self

    def stop(self) -> None:
        for process in self.processes:
            process.ask_to_stop()
        for server in self.servers:
            server.stop()

    def discard(self) -> None:
        """Throw the data away, wherever it had to be put."""
        for server in self.servers:
            shutil.rmtree(server.directory, ignore_errors=True)
