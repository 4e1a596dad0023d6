"""`make demo`: within a minute there is something to see on the dashboard, and one is told how."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.local_stripe import ROOT, eventually, free_port
from tests.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANAGER_PASSWORD", "sesame")
        running = Stack(tmp_path_factory.mktemp("demo"))
    with running:
        yield running


class Demo:
    """As somebody has it in a second terminal. `said` is all of it so far."""

    def __init__(self, log: Path, *arguments: str, **env: str) -> None:
        self._log = log
        names = ("PATH", "HOME", "DATABASE_URL")
        env = {name: os.environ[name] for name in names if name in os.environ} | {"PUBLIC_URL": ""} | env
        with log.open("w") as output:
            command = [sys.executable, "-m", "sandbox", "demo", *arguments]
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)

    def __enter__(self) -> "Demo":
        return self

    def __exit__(self, *failure: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        return self._log.read_text()


def paid(stack: Stack) -> int:
    with psycopg.connect(stack.database.url) as connection:
        row = connection.execute("SELECT count(*) FROM shop_order WHERE payment_status = 'paid'").fetchone()
    return int(row[0]) if row else 0


def test_payments_come_in_within_a_minute_and_one_is_told_where_to_look(stack: Stack, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "secrets.env").write_text("MANAGER_PASSWORD=sesame\n")
    with Demo(tmp_path / "log", "--seed", "288", PORT=str(stack.port), DATA_DIR=str(data)) as demo:
        eventually(lambda: paid(stack) >= 1, 60)
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(10) == 0
        said = demo.said

    assert "Traceback" not in said
    [where] = re.findall(r"^12 shoppers a minute, their payments on (\S+)$", said, re.MULTILINE)
    [(username, password)] = re.findall(r"^Log in there as (\w+) / (\w+)$", said, re.MULTILINE)
    with httpx.Client(base_url=stack.url, trust_env=False, follow_redirects=True) as browser:
        page = browser.get(where)
        assert page.url.path == "/accounts/login/"
        [token] = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text))
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token}
        seen = browser.post(str(page.url), data=form, headers={"Referer": str(page.url)})
    assert (seen.status_code, seen.url.path) == (200, "/dashboard/")


def test_without_a_shop_it_says_how_to_start_one(tmp_path: Path) -> None:
    port = str(free_port())
    with Demo(tmp_path / "log", PORT=port) as demo:
        assert demo.process.wait(20) == 1
        assert demo.said.startswith(
            f"No shop answers at http://127.0.0.1:{port}/. Start it in another terminal"
        )
        assert len(demo.said.splitlines()) == 1


def test_a_password_that_somebody_chose_is_not_told(stack: Stack, tmp_path: Path) -> None:
    arguments = ["--shop", stack.url, "--visits", "1", "--per-minute", "6000"]
    with Demo(tmp_path / "log", *arguments, MANAGER_PASSWORD="sesame") as demo:
        assert demo.process.wait(60) == 0
        assert "Log in there as manager / (as set in MANAGER_PASSWORD)" in demo.said
        assert "sesame" not in demo.said
