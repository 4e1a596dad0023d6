"""The shop behind deploy/nginx, with two web processes: pages, sockets, caps, deaths and restarts."""

import html
import re
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from sandbox.nginx import Nginx
from sandbox.ports import free_port
from tests.deployed import Deployed, deployed


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


class Visit:
    """The shop page, loaded by a new browser, through the shop's nginx or another one's port."""

    def __init__(self, shop: Deployed, port: int | None = None) -> None:
        self.shop = shop
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port or shop.port}", trust_env=False)
        page = self.client.get("/")
        assert page.status_code == 200
        [address] = re.findall(r'hx-ws:connect="([^"]+)"', page.text)
        self.address = html.unescape(address)

    def connect(self) -> ClientConnection:
        cookies = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
        url = str(self.client.base_url.join(self.address)).replace("http", "ws", 1)
        return connect(
            url,
            origin=Origin(self.shop.url),
            additional_headers={"Cookie": cookies},
            proxy=None,
            open_timeout=10,
        )


def test_a_page_and_its_socket_come_through(shop):
    with Visit(shop).connect() as socket:
        assert socket.recv(timeout=10)
