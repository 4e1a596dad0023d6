"""What nginx hands on to the shop, and what it refuses before the shop hears of it."""

import socket
from typing import Any

import pytest

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
