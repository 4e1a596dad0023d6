"""What deploy/nginx lets through to the shop, seen by a server in the shop's place."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from sandbox.nginx import Nginx
from sandbox.ports import free_port
from tests.deployed import want_nginx

FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Server": "evil.example",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=https",
    "Via": "1.1 evil.example",
    "Daphne-Root-Path": "/evil",
    "Proxy": "http://evil.example",
    "X-Request-ID": "forged",
    "X_Forwarded_For": "203.0.113.9",
    "Daphne_Root_Path": "/evil",
}


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


def exchange(port: int, request: bytes, *, tls: ssl.SSLContext | None = None) -> bytes:
    """Exactly these bytes, and all that comes back until the other side has had enough."""
    line = socket.create_connection(("127.0.0.1", port), timeout=20)
    with tls.wrap_socket(line, server_hostname="127.0.0.1") if tls else line as line:
        line.sendall(request)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
        return answer


def test_no_header_that_the_shop_believes_is_a_clients(client, nginx):
    response = client.get("/", headers=FORGED)
    seen: dict[str, Any] = {}
    for name, value in response.json():
        assert name.lower() not in seen, "a header came twice"
        seen[name.lower()] = value

    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["host"] == f"127.0.0.1:{nginx.port}"
    assert len(seen["x-request-id"]) == 32
    assert not {"forged", "evil", "203.0.113.9"} & set(response.text.split('"'))
    assert "evil" not in response.text
    assert not set(seen) & {"forwarded", "via", "x-real-ip", "x-forwarded-host", "daphne-root-path", "proxy"}
