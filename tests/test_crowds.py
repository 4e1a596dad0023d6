"""Hundreds who come at the same moment are let in one after the other, and nobody is turned away."""

import signal
from contextlib import ExitStack

import pytest

from sandbox import parts
from sandbox.ports import free_port
from tests.raw import Line

MANY = 200


@pytest.fixture
def web(stack, tmp_path):
    port = free_port()
    process = parts.daphne(port, env={**stack.env, "PUBLIC_URL": f"http://127.0.0.1:{port}"}, logs=tmp_path)
    try:
        process.start().wait_until(parts.is_ready(port))
        yield port, process
    finally:
        process.stop()


def test_all_who_came_while_a_process_was_busy_are_answered(web):
    port, process = web
    process.kill(signal.SIGSTOP)  # busy, as the kernel sees it
    with ExitStack() as lines:
        waiting = [lines.enter_context(Line(port)) for _ in range(MANY)]  # times out where the queue is full
        for line in waiting:
            line.say(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
        process.kill(signal.SIGCONT)

        assert {line.hear()[:12] for line in waiting} == {b"HTTP/1.1 200"}
