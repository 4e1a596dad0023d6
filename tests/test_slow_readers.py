"""Clients that do not read what they are sent: they cost little, delay nobody, and are dropped."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from realtime import pages
from realtime.hub import hub
from sandbox import parts
from sandbox.ports import free_port
from tests import factories
from tests.live import Page, an_order, in_thread, live, until
from tests.raw import Visit
from tests.stack import Stack

PING = b"\x89\x0c"
CLOSE = b"\x88"


@pytest.fixture
def impatient(stack: Stack, tmp_path: Path) -> Iterator[str]:
    """The address of a web process like the stack's, which asks each second whether a client is there."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    daphne = parts.daphne(port, env={**stack.env, "PUBLIC_URL": url}, logs=tmp_path)
    daphne.command[-1:-1] = ["--ping-interval", "1", "--ping-timeout", "1"]
    try:
        daphne.start().wait_until(parts.is_ready(port))
        yield url
    finally:
        daphne.stop()
    assert "Traceback" not in daphne.log.read_text()


def flood(stack: Stack, times: int, size: int, version: int = 0) -> None:
    """Tell all open shop pages of a thing whose version is that."""
    command = [sys.executable, "-m", "tests.flood", str(times), str(size), str(version)]
    env = stack.env | {"DJANGO_SETTINGS_MODULE": "project.settings"}
    subprocess.run(command, env=env, check=True)


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_makes_no_room_for_its_mail_is_closed_and_delays_nobody(monkeypatch):
    monkeypatch.setattr(pages, "PATIENCE", 0.1)
    bell = await in_thread(factories.product)()
    await in_thread(factories.long_ago)()
    slow = await (await Page.load(Client())).go_live(room=1)
    stranger = await live(Client())

    for price in range(1, 4):
        await in_thread(bell.revise)(unit_amount=price)
        await stranger.frame(lambda frame: frame.version == bell.version)

    await until(lambda: len(hub().pages) == 1)
    assert await slow.closes() == 4408
    await in_thread(bell.revise)(unit_amount=9)
    await stranger.frame(lambda frame: frame.version == bell.version)


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_reads_slowly_but_steadily_is_kept(monkeypatch):
    bell = await in_thread(factories.product)()
    await in_thread(factories.long_ago)()
    monkeypatch.setattr(pages, "PATIENCE", 2)
    slow = await (await Page.load(Client())).go_live(room=1)
    for price in range(1, 6):
        await in_thread(bell.revise)(unit_amount=price)
    await slow.frame(lambda frame: frame.version == bell.version)

    await in_thread(bell.revise)(unit_amount=6)
    await slow.frame(lambda frame: frame.version == bell.version)


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_cannot_be_written_to_is_closed_so_that_it_comes_back(shopper, monkeypatch):
    page = await live(shopper)
    [one] = hub().pages

    async def refuse(message: dict[str, Any]) -> None:
        raise ValueError("too large, for example")

    monkeypatch.setattr(one, "_send", refuse)

    await an_order(shopper)

    assert await page.closes() == 1011


def test_what_a_page_does_not_read_is_not_kept_for_it(stack):
    """40 MB to one page that reads and to ten that do not; each of those may cost what is on its line."""
    visit = Visit(stack.url)
    idle = [visit.open(room=4096) for _ in range(9)]
    with visit.connect(max_size=None) as reader:
        reader.recv(timeout=10)
        flood(stack, 20, 250_000)  # what there is of buffers has been used
        while '"20"' not in str(reader.recv(timeout=20))[:50]:
            pass
        before = stack.memory()
        flood(stack, 160, 250_000, version=20)
        while '"180"' not in str(reader.recv(timeout=20))[:50]:
            pass
        grown = stack.memory() - before
    for line in idle:
        line.socket.close()
    assert grown < 40_000_000


def test_a_client_that_does_not_answer_pings_is_dropped(impatient):
    """It is there and reads, or it is long gone and nobody told us: to the server that is the same."""
    with Visit(impatient).open() as line:
        assert PING in line.hear_out()


@pytest.mark.parametrize("drip", [b"\x81", b"\x8a\x80mask", b"\x89\x80mask"], ids=["byte", "pong", "ping"])
def test_a_client_that_says_a_little_now_and_then_is_dropped_like_one_that_says_nothing(impatient, drip):
    with Visit(impatient).open() as line:
        with suppress(ConnectionError):
            while line.say(drip[:1] if drip == b"\x81" else drip).hear(PING):
                drip = drip if len(drip) > 1 else b"\xfe"
        assert line.hear_out() == b""


def test_a_browser_that_answers_stays(impatient):
    with Visit(impatient).connect() as page, Visit(impatient).open() as other:
        page.recv(timeout=10)
        other.hear_out()
        with suppress(TimeoutError):
            page.recv(timeout=0)
        assert page.close_code is None
