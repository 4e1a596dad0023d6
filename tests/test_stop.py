"""A web process that is told to stop ends what it has begun, whatever else is on its lines."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

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
A_MOMENT = 0.4
"""Seconds by which the rest of a request is late on a machine that has much to do."""
A_SLOW_CHECKOUT = 1.0
"""Seconds that a checkout takes in these tests at least."""


class Web:
    """A web process of the stack's shop that leaves a handshake at /held/ unanswered."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self.database = stack.database.url
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

    def starts_to_stop(self) -> None:
        self.process.ask_to_stop()
        eventually(self.takes_nobody)

    def checkout(self) -> bytes:
        """The request of somebody who buys one of the first product of the page."""
        with httpx.Client(trust_env=False) as browser:
            page = browser.get(self.url).text
            cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            token = browser.cookies["csrftoken"]
        quantity = re.findall(r'name="(quantity-[^"]+)"', page)[0]
        body = urlencode({"csrfmiddlewaretoken": token, quantity: "1"})
        headers = {"Host": f"127.0.0.1:{self.port}", "Origin": self.url, "Cookie": cookies}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers["Content-Length"] = str(len(body))
        lines = ["POST /checkout/ HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", body]).encode()

    @contextmanager
    def slow_checkouts(self) -> Iterator[None]:
        """Those that begin in the block have no answer for a second after they would have had one."""
        waiting = WAITING.replace("django_session", "shop_order")
        with psycopg.connect(self.database) as other:
            other.execute("LOCK TABLE shop_order")
            yield
            eventually(lambda: other.execute(waiting).fetchone())
            time.sleep(A_SLOW_CHECKOUT)


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


def assert_sold(answer: bytes) -> None:
    head = answer.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 303 "), answer
    assert b"/c/pay/" in head


def test_a_checkout_that_arrives_a_moment_after_the_port_has_closed_is_done(web):
    checkout = web.checkout()
    with Line(web.port) as line:
        with web.slow_checkouts():
            web.starts_to_stop()
            time.sleep(A_MOMENT)
            line.say(checkout)
        assert_sold(line.hear_out())
    assert web.process.wait(10)
    assert web.process.exit_code == 0


def test_a_checkout_of_which_half_has_come_when_the_stop_begins_is_done(web):
    checkout = web.checkout()
    with Line(web.port) as line:
        line.say(checkout[:-10])
        web.starts_to_stop()
        with web.slow_checkouts():
            time.sleep(2 * A_MOMENT)
            line.say(checkout[-10:])
        assert_sold(line.hear_out())
    assert web.process.wait(10)
    assert web.process.exit_code == 0


def test_a_line_that_was_kept_open_has_one_more_answer_and_is_closed(web):
    question = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n\r\n".encode()
    checkout = web.checkout()
    with Line(web.port) as buyer, Line(web.port) as kept:
        assert b" 200 " in kept.say(question).hear()
        with web.slow_checkouts():
            buyer.say(checkout)
            web.starts_to_stop()
            answer = kept.say(question + question).hear_out()
            assert answer.count(b" 200 ") == 1
            assert b"\r\nConnection: close\r\n" in answer
            assert web.process.running
        answer = buyer.hear_out()
        assert_sold(answer)
        assert b"\r\nConnection: close\r\n" in answer


def test_lines_on_which_nothing_is_asked_do_not_hold_a_stop(web):
    question = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n\r\n".encode()
    with Line(web.port), Line(web.port) as kept, Visit(web.url).open():
        assert b" 200 " in kept.say(question).hear()
        web.process.ask_to_stop()
        assert web.process.wait(10)
        assert web.process.exit_code == 0
