"""deploy/nginx before a server in the shop's place."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from sandbox.nginx import Nginx
from sandbox.ports import free_port
from tests.deployed import want_nginx


class Shop:
    """Answers every request with its headers in JSON, and keeps what it was asked."""

    def __init__(self) -> None:
        asked = self.asked = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                asked.append(f"{self.command} {self.path}")
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.dumps(self.headers.items()).encode()
                self.send_response(200)
                self.send_header("Cache-Control", "max-age=60, public")
                self.send_header("Content-Type", "text/css")
                self.send_header("X-Request-ID", self.headers["X-Request-ID"])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _answer  # noqa: N815  the library's names

            def log_message(self, *line: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> "Shop":
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def _shop() -> Iterator[Shop]:
    want_nginx()
    with Shop() as shop:
        yield shop


@pytest.fixture
def shop(_shop: Shop) -> Shop:
    _shop.asked.clear()
    return _shop


@pytest.fixture(scope="module")
def nginx(_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Before it, with all caps."""
    directory = tmp_path_factory.mktemp("nginx")
    running = Nginx(
        directory / "nginx", logs=directory, port=free_port(), processes=[_shop.port], uncapped=()
    )
    running.start().wait_until_ready()
    yield running
    running.stop()


@pytest.fixture
def client(nginx: Nginx) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}", trust_env=False) as client:
        yield client


@pytest.fixture
def front(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Nginx]]:
    """Another nginx, for other processes."""
    with ExitStack() as all_of_them:

        def start(**differently: Any) -> Nginx:
            directory = tmp_path_factory.mktemp("front")
            options = {"port": free_port()} | differently
            nginx = Nginx(directory / "nginx", logs=directory, **options)
            nginx.start()
            all_of_them.callback(nginx.stop)
            return nginx.wait_until_ready()

        yield start
