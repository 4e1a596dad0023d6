"""What deploy/nginx lets through to the shop, seen by a server in the shop's place."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.nginx import CONFIGURATION, Nginx
from sandbox.ports import free_port
from tests.deployed import want_nginx
from tests.local_stripe import eventually

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


def status(port: int, request: str) -> int:
    """What exactly this is answered with."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(request.encode())
        with line.makefile("rb") as answer:
            return int(answer.readline().split()[1])


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


def test_the_shop_is_called_by_its_own_name_whatever_port_a_client_says(client, nginx):
    assert ["Host", f"127.0.0.1:{nginx.port}"] in client.get("/", headers={"Host": "127.0.0.1:1"}).json()


@pytest.mark.parametrize(
    ("path", "handed_on"),
    [("/ws/shop/", {"upgrade": "websocket", "connection": "upgrade"}), ("/", {"connection": "close"})],
)
def test_only_live_paths_become_sockets(client, path, handed_on):
    seen = client.get(path, headers={"Upgrade": "websocket", "Connection": "keep-alive, Upgrade"}).json()
    hops = {name.lower(): value for name, value in seen if name.lower() in ("upgrade", "connection")}
    assert hops == handed_on


def test_more_than_a_megabyte_is_refused_before_the_shop_hears_of_it(client, shop):
    for body in (b"x" * 1_000_001, iter([b"x" * 500_000] * 3)):  # the second one does not say how long it is
        response = client.post("/stripe-webhook/", content=body)
        assert response.status_code == 413
        assert "megabyte" in response.text
    assert shop.asked == []

    assert client.post("/stripe-webhook/", content=b"x" * 1_000_000).status_code == 200


def test_ten_megabytes_that_are_only_announced_are_not_waited_for(nginx, shop):
    head = f"POST /checkout/ HTTP/1.1\r\nHost: 127.0.0.1:{nginx.port}\r\nContent-Length: 10000000\r\n\r\n"
    assert status(nginx.port, head) == 413
    assert shop.asked == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "a b", ""])
def test_another_name_than_the_shops_is_not_answered(client, shop, host):
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 400
    assert shop.asked == []


def test_a_name_in_the_request_line_does_not_hide_another_one(nginx, shop):
    request = (
        f"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:{nginx.port}\r\nConnection: close\r\n\r\n"
    )
    assert status(nginx.port, request) == 400
    assert shop.asked == []


CONTRADICTIONS = {
    "two lengths": "Content-Length: 5\r\nContent-Length: 6",
    "twice the same length": "Content-Length: 5\r\nContent-Length: 5",
    "a length below zero": "Content-Length: -1",
    "a length and chunks": "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "chunks and something else": "Transfer-Encoding: chunked, identity",
    "a header of 40 KB": f"X-Long: {'x' * 40_000}",
    "60 KB of headers": "\r\n".join(f"X-{number}: {'x' * 6_000}" for number in range(10)),
}


@pytest.mark.parametrize("lines", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_what_two_servers_could_read_differently_goes_no_further(nginx, shop, lines):
    request = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{nginx.port}\r\n{lines}\r\n\r\nhello"
    assert status(nginx.port, request) in (400, 501)
    assert shop.asked == []


@pytest.mark.parametrize("path", ["/metrics", "/%6detrics", "//metrics", "/./metrics", "/a/../metrics"])
def test_metrics_are_not_for_the_world(nginx, shop, path):
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{nginx.port}\r\nConnection: close\r\n\r\n"
    assert status(nginx.port, request) == 404
    assert shop.asked == []


def test_what_nginx_says_of_them_has_the_shops_headers(client):
    answer = client.get("/metrics")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_sender_that_takes_its_time_takes_none_of_the_shops(nginx, shop, client):
    head = f"POST /stripe-webhook/ HTTP/1.1\r\nHost: 127.0.0.1:{nginx.port}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", nginx.port)) as slow:
        slow.sendall(head.encode() + b"half of it")
        assert client.get("/somebody-else/").status_code == 200
        assert shop.asked == ["GET /somebody-else/"]


LIMITED = {
    "guessing": (["/accounts/login/", "/admin/login/", "/orders/find/", "/api/v1/token/"], 21),
    "buying": (["/checkout/", f"/orders/{uuid.uuid4()}/pay/", "/api/v1/checkout/"], 31),
}


@pytest.mark.parametrize(("paths", "most"), LIMITED.values(), ids=LIMITED.keys())
def test_who_tries_too_often_is_told_to_wait(client, shop, paths, most):
    answers = [client.post(paths[number % len(paths)]) for number in range(most + 5)]

    assert [answer.status_code for answer in answers[:most]] == [200] * most
    refused = answers[-1]
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "try again" in refused.text
    assert refused.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    assert len(refused.headers["X-Request-ID"]) == 32
    assert client.get(paths[0]).status_code == 200, "reading is free"
    assert client.post("/stripe-webhook/").status_code == 200, "so is Stripe"


def test_static_files_are_asked_for_once_and_sent_small(client, shop):
    answers = [
        client.get(f"/static/shop.css?{number}", headers={"X-Long": "x" * 3000}) for number in range(3)
    ]

    assert shop.asked == ["GET /static/shop.css?0"]
    assert {answer.headers["Content-Encoding"] for answer in answers} == {"gzip"}
    assert "X-Request-ID" not in answers[0].headers


def test_the_log_says_who_asked_for_what_and_no_secret(client, nginx):
    client.get("/orders/link/secret-token/?ticket=secret-ticket")
    client.get("/accounts/reset/MQ/secret-token/", headers={"Referer": "http://secret/"})
    client.get('/"quoted" message=forged')

    def lines() -> Any:
        return nginx.access_log.read_text().splitlines()

    eventually(lambda: len(lines()) > 2 and "forged" in lines()[-1])
    assert 'message="GET /orders/link/…"' in lines()[-3]
    assert 'message="GET /accounts/reset/MQ/…"' in lines()[-2]
    assert r"message=\"forged" not in lines()[-1]
    assert 'message="GET /\\"quoted\\" message=forged" request=' in lines()[-1]
    assert "secret" not in nginx.access_log.read_text() + nginx.process.log.read_text()


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


def test_a_process_that_is_away_is_passed_over(front, shop):
    nginx = front(processes=[free_port(), shop.port])
    for method in ("GET", "POST"):
        for _ in range(10):
            asked = httpx.request(method, f"http://127.0.0.1:{nginx.port}/", trust_env=False)
            assert asked.status_code == 200
    assert len(shop.asked) == 20


def test_when_all_are_away_people_are_told_so_and_no_key_is_logged(front):
    nginx = front(processes=[free_port()])
    answer = httpx.get(f"http://127.0.0.1:{nginx.port}/orders/link/secret-token/", trust_env=False)

    assert answer.status_code == 503
    assert "Nothing is lost" in answer.text
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers, "which is for HTTPS only"
    nginx.stop()
    assert "secret" not in nginx.process.log.read_text()


# --- TLS --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For 127.0.0.1 and shop.example, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("There is no openssl to make a certificate with.")
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-days", "2", "-subj", "/CN=shop.example", "-keyout", str(key), "-out", str(certificate)]
    make += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:shop.example"]
    subprocess.run(make, check=True, capture_output=True)
    return certificate, key


def test_over_tls_the_shop_is_told_so(front, shop, certificate):
    nginx = front(processes=[shop.port], certificate=certificate[0], key=certificate[1])
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with httpx.Client(verify=trusting, base_url=f"https://127.0.0.1:{nginx.port}", trust_env=False) as client:
        headers = {name.lower(): value for name, value in client.get("/").json()}
        refused = client.post("/stripe-webhook/", content=b"x" * 1_000_001)

    assert headers["x-forwarded-proto"] == "https"
    assert refused.headers["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_protocols_and_weak_ciphers_are_refused(front, shop, certificate):
    nginx = front(processes=[shop.port], certificate=certificate[0], key=certificate[1])
    old = ssl.create_default_context(cafile=str(certificate[0]))
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    weak = ssl.create_default_context(cafile=str(certificate[0]))
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES256-SHA:AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    for context in (old, weak):
        line = socket.create_connection(("127.0.0.1", nginx.port), timeout=20)
        with line, pytest.raises(ssl.SSLError):
            context.wrap_socket(line, server_hostname="127.0.0.1")


def test_the_site_as_it_is_delivered_is_sound(front, shop, certificate):
    """Ports and paths apart: the names, the redirect and the refusals are those of deploy/nginx/site.conf."""
    plain, secure = free_port(), free_port()
    site = (CONFIGURATION / "site.conf").read_text()
    for there, here in {
        r"listen \[::\].*": "",
        r"listen 80": f"listen 127.0.0.1:{plain}",
        r"listen 443": f"listen 127.0.0.1:{secure}",
        r"/etc/letsencrypt/live/shop.example/fullchain.pem": "certificate.pem",
        r"/etc/letsencrypt/live/shop.example/privkey.pem": "key.pem",
        r"127.0.0.1:8001": f"127.0.0.1:{shop.port}",
        r"/var/lib/nginx/static": "static",
        r"syslog:[^ ]*": "access.log",
    }.items():
        site, count = re.subn(there, here, site)
        assert count, there
    front(processes=[], certificate=certificate[0], key=certificate[1], site=site, port=plain)

    trusting = ssl.create_default_context(cafile=str(certificate[0]))

    def ask(address: str, host: str) -> httpx.Response:
        with httpx.Client(verify=trusting, trust_env=False) as client:
            told = {"sni_hostname": host}
            return client.get(address, headers={"Host": host}, extensions=told)

    redirect = ask(f"http://127.0.0.1:{plain}/orders/?page=2", "shop.example")
    assert (redirect.status_code, redirect.headers["Location"]) == (
        301,
        "https://shop.example/orders/?page=2",
    )
    assert ask(f"http://127.0.0.1:{plain}/", "evil.example").status_code == 400
    for _ in range(3):  # the second process is not there
        seen = {
            name.lower(): value for name, value in ask(f"https://127.0.0.1:{secure}/", "shop.example").json()
        }
        assert (seen["host"], seen["x-forwarded-proto"]) == ("shop.example", "https")
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # it is not even shown a certificate
    with pytest.raises(httpx.ConnectError):
        ask(f"https://127.0.0.1:{secure}/", "evil.example")
