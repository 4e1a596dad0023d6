"""A web process that is told to stop ends what it has begun, whatever else is on its lines."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from sandbox import parts
from sandbox.ports import free_port
from sandbox.processes import Process
from tests.local_stripe import eventually
from tests.raw import Line, Visit, handshake
from tests.stack import Stack

WAITING = "SELECT 1 FROM pg_locks WHERE relation = 'django_session'::regclass AND NOT granted"


class Web:
    """A web process of the stack's shop that leaves a handshake at /held/ unanswered."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: Process = parts.daphne(
            self.port, env={**stack.env, "PUBLIC_URL": self.url}, logs=directory
        )
        self.process.command[-1] = "tests.held:application"

    def takes_nobody(self) -> bool:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
            return False
        return True


@pytest.fixture
def web(stack: Stack, tmp_path: Path) -> Iterator[Web]:
    web = Web(stack, tmp_path)
    try:
        web.process.start().wait_until(parts.is_ready(web.port))
        yield web
    finally:
        web.process.stop()


def test_a_slow_page_is_answered_and_open_ones_are_told_though_a_handshake_is_under_way(stack, web):
    visit = Visit(web.url)
    with (
        psycopg.connect(stack.database.url) as other,
        Line(web.port) as held,
        visit.open() as page,
        ThreadPoolExecutor() as threads,
    ):
        held.say(handshake("/held/", web.url))
        other.execute("LOCK TABLE django_session")
        member = {"sessionid": 32 * "x"}
        answer = threads.submit(httpx.get, web.url, cookies=member, trust_env=False, timeout=20)
        eventually(lambda: other.execute(WAITING).fetchone())

        web.process.ask_to_stop()
        eventually(web.takes_nobody)
        other.rollback()

        assert answer.result().status_code == 200
        assert b" 403 " in held.hear()
        assert b"\x88\x02\x03\xf4" in page.hear_out()  # 1012
    assert web.process.wait(10)
    assert "Traceback" not in web.process.log.read_text()
