"""The shop as deploy/ has it: two web processes behind a real nginx."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox import apt, nginx, parts
from sandbox.nginx import Nginx
from sandbox.ports import free_port
from sandbox.processes import stop_all
from tests.local_stripe import eventually
from tests.stack import Stack


def want_nginx() -> None:
    """Skip, or in CI fail, where there is none."""
    if nginx.find() is None:
        if apt.must_be_there():
            pytest.fail(nginx.WHAT_TO_INSTALL)
        pytest.skip(nginx.WHAT_TO_INSTALL)


class Deployed(Stack):
    """`with Deployed(tmp_path) as shop:` is a Stack whose `url` is nginx's, with `processes` behind it."""

    def __init__(self, directory: Path, *, count: int = 2, **differently: Any) -> None:
        super().__init__(directory)
        logs = directory / "logs"
        self.env["TRUSTED_PROXIES"] = "127.0.0.1"
        self.env["CHECKOUT_NETWORK_RATE"] = ""  # all shoppers of a test come from one address
        self.ports = [free_port() for _ in range(count)]
        self.processes = [
            parts.daphne(port, env=self.env, logs=logs, name=f"daphne-{number}")
            for number, port in enumerate(self.ports, start=1)
        ]
        self.nginx = Nginx(
            directory / "nginx", logs=logs, port=self.port, processes=self.ports, **differently
        )

    def __exit__(self, *failure: object) -> None:
        self.nginx.stop()
        stop_all(self.processes)
        super().__exit__(*failure)

    def start_daphne(self) -> None:
        self.nginx.start().wait_until_ready()
        self.start_processes(*range(len(self.processes)))

    def start_processes(self, *numbers: int) -> None:
        """Some of them, again; returns when nginx has noticed."""
        for number in numbers:
            self.processes[number].start()
        for number in numbers:
            self.processes[number].wait_until(parts.is_ready(self.ports[number]))
            eventually(partial(self._is_asked, number))

    def _is_asked(self, number: int) -> bool:
        before = len(self.nginx.access_log.read_text())
        httpx.get(f"{self.url}/healthz", trust_env=False)
        said = eventually(lambda: self.nginx.access_log.read_text()[before:])
        return f'{self.ports[number]}" process_status="200"' in said


def deployed(directory: Path) -> Iterator[Deployed]:
    """For a fixture."""
    want_nginx()
    with Deployed(directory) as shop:
        yield shop
