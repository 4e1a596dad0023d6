"""The shop behind deploy/nginx, with two web processes: pages, sockets, caps, deaths and restarts."""

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, LiteralString

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from sandbox.nginx import Nginx
from sandbox.ports import free_port
from tests.deployed import Deployed, deployed
from tests.local_stripe import eventually
from tests.traffic import Browser, Traffic, send_webhook


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    yield from deployed(tmp_path_factory.mktemp("deployed"))


@pytest.fixture
def capped(shop: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """A second nginx before the same processes, which counts us."""
    directory = tmp_path_factory.mktemp("capped")
    nginx = Nginx(directory / "nginx", logs=directory, port=free_port(), processes=shop.ports, uncapped=())
    nginx.start().wait_until_ready()
    yield nginx
    nginx.stop()


class Visit(Browser):
    """The shop page, loaded by a new browser, through the shop's nginx or another one's port."""

    def __init__(self, shop: Deployed, port: int | None = None) -> None:
        super().__init__(f"http://127.0.0.1:{port or shop.port}")
        self.shop = shop
        page = self.load()
        assert page.status_code == 200
        [address] = re.findall(r'hx-ws:connect="([^"]+)"', page.text)
        self.address = html.unescape(address)

    def connect(self) -> ClientConnection:
        cookies = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
        return connect(
            str(self.client.base_url.join(self.address)).replace("http", "ws", 1),
            origin=Origin(self.shop.url),
            additional_headers={"Cookie": cookies},
            proxy=None,
            open_timeout=10,
            max_queue=None,  # a page that nobody reads must still be able to close
        )


@contextmanager
def slow_stripe(shop: Deployed, seconds: float = 2) -> Iterator[None]:
    with httpx.Client(
        base_url=f"http://127.0.0.1:{shop.stripe_port}",
        headers={"Accept": "application/json"},
        trust_env=False,
    ) as stripe:
        change = {"api_slow": 100, "api_slow_seconds": seconds}
        stripe.post("/control/chaos", json=change).raise_for_status()
        try:
            yield
        finally:
            stripe.post("/control/chaos/off").raise_for_status()


def ask(shop: Deployed, statement: LiteralString) -> list[Any]:
    """The first column of what the database answers."""
    with psycopg.connect(shop.database.url, autocommit=True) as connection:
        return [row[0] for row in connection.execute(statement)]


def orders(shop: Deployed) -> int:
    [count] = ask(shop, "SELECT count(*) FROM shop_order")
    return int(count)


def test_a_page_and_its_socket_come_through(shop):
    with Visit(shop).connect() as socket:
        assert socket.recv(timeout=10)


def test_an_address_has_a_hundred_sockets_and_no_more(shop, capped):
    with ExitStack() as pages:
        for _ in range(10):
            visit = Visit(shop, capped.port)
            for _ in range(10):
                pages.enter_context(visit.connect())
        visit = Visit(shop, capped.port)
        with pytest.raises(InvalidStatus) as refusal:
            visit.connect()
        assert refusal.value.response.status_code == 429
        assert visit.load().status_code == 200, "and pages all the same"


def test_metrics_and_forged_origins_stay_outside(shop):
    local = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Daphne-Root-Path": "/evil"}
    with httpx.Client(base_url=shop.url, trust_env=False, headers=local) as client:
        assert client.get("/metrics").status_code == 404
        assert "/evil" not in client.get("/").text
    for port in shop.ports:
        assert httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).status_code == 200


def test_a_dead_process_is_missed_by_nobody(shop):
    visit = Visit(shop)
    shop.processes[0].kill()
    shop.processes[0].wait(5)
    try:
        for _ in range(6):
            assert visit.load().status_code == 200
            assert send_webhook(shop).status_code == 200
        with visit.connect() as socket:
            assert socket.recv(timeout=10)
    finally:
        shop.start_processes(0)


def test_who_is_at_the_checkout_gets_there_though_the_process_is_told_to_stop(shop):
    """Stripe takes seconds for its answer; SIGTERM comes in the middle of them."""
    buyer, before = Visit(shop), orders(shop)
    with slow_stripe(shop), ThreadPoolExecutor() as threads:
        answer = threads.submit(buyer.check_out)
        eventually(lambda: orders(shop) > before)
        assert not answer.done()
        for process in shop.processes:
            process.ask_to_stop()
        try:
            assert answer.result(timeout=20).status_code == 303
            assert answer.result().headers["Location"].startswith(f"http://127.0.0.1:{shop.stripe_port}/")
            assert all(process.wait(10) for process in shop.processes)
        finally:
            shop.start_processes(0, 1)


def test_a_rolling_restart_fails_no_page_no_checkout_and_no_webhook(shop):
    with Traffic(shop) as traffic:
        traffic.goes_on()
        for number, process in enumerate(shop.processes):
            with ExitStack() as pages:
                sockets = [pages.enter_context(Visit(shop).connect()) for _ in range(6)]
                process.ask_to_stop()
                assert process.wait(20)
                traffic.goes_on()
                shop.start_processes(number)
                # Told to come again by a code of its own; those of the other process stay.
                codes = [socket.close_code for socket in sockets if socket.state is State.CLOSED]
                assert 0 < len(codes) < len(sockets)
                assert set(codes) == {1012}
        traffic.goes_on()
    assert traffic.troubles == []
    assert traffic.events <= set(ask(shop, "SELECT id FROM shop_stripeevent"))
    with Visit(shop).connect() as socket:
        assert socket.recv(timeout=10)
