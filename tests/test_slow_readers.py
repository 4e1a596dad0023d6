"""Clients that do not read what they are sent: they cost little, delay nobody, and are dropped."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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
def ping_timeout() -> int:
    """Seconds."""
    return 1


@pytest.fixture
def impatient(stack: Stack, tmp_path: Path, ping_timeout: int) -> Iterator[str]:
    """The address of a web process like the stack's, which asks each second whether a client is there."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    daphne = parts.daphne(port, env={**stack.env, "PUBLIC_URL": url}, logs=tmp_path)
    daphne.command[-1:-1] = ["--ping-interval", "1", "--ping-timeout", str(ping_timeout)]
    try:
        daphne.start().wait_until(parts.is_ready(port))
        yield url
    finally:
        daphne.stop()
    assert "Traceback" not in daphne.log.read_text()


@contextmanager
def flood(stack: Stack, size: int) -> Iterator[Callable[[], None]]:
    """Call it to tell all open shop pages of a thing, whose version is 1, then 2 and so on."""
    command = [sys.executable, "-m", "tests.flood", str(size)]
    env = stack.env | {"DJANGO_SETTINGS_MODULE": "project.settings"}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE) as process:
        assert process.stdin
        valve = process.stdin

        def tell() -> None:
            valve.write(b"\n")
            valve.flush()

        yield tell
    assert process.returncode == 0


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
    """40 MB to one page that reads and to nine that do not; each of those may cost what is on its line."""
    visit = Visit(stack.url)
    with ExitStack() as open_:
        reader = open_.enter_context(visit.connect(max_size=None))
        for _ in range(9):
            open_.enter_context(visit.open(room=4096))
        tell = open_.enter_context(flood(stack, 250_000))
        reader.recv(timeout=10)

        def have_read(versions: range) -> None:
            # One by one: of many at once, a page is sent the last of them only.
            for version in versions:
                tell()
                while f'id="flood" data-version="{version}"' not in str(reader.recv(timeout=20)):
                    pass

        have_read(range(1, 21))  # what there is of buffers has been used
        before = stack.memory()
        have_read(range(21, 181))
        grown = stack.memory() - before
    assert grown < 20_000_000, "kept, it would be 40 MB: they share each text"


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


@pytest.mark.parametrize("ping_timeout", [3], ids=["patient with a busy machine"])
def test_a_browser_that_answers_stays(impatient):
    with Visit(impatient).connect() as page, Visit(impatient).open() as other:
        page.recv(timeout=10)
        other.hear_out()
        with suppress(TimeoutError):
            page.recv(timeout=0)
        assert page.close_code is None
