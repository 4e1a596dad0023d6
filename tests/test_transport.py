"""Requests that are none, or too much: answered with 400 or 413 or not at all, and never taken in."""

import re
from collections.abc import Iterator

import pytest
from asgiref.testing import ApplicationCommunicator
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from project.asgi import application
from project.daphne_requests import Channel
from project.intake import MOST
from tests.raw import Line, Visit, handshake
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("no_traceback")

HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /cart/ HTTP/1.1\r\n" + HOST
GET = b"GET / HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture
def line(stack: Stack) -> Iterator[Line]:
    with Line(stack.port) as line:
        yield line


MALFORMED = {
    "length twice": POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
    "the same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "negative length": POST + b"Content-Length: -1\r\n\r\nabc",
    "signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "hexadecimal length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "length with underscore": POST + b"Content-Length: 1_0\r\n\r\nabc",
    "empty length": POST + b"Content-Length: \r\n\r\nabc",
    "5,000 digits of length": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc",
    "chunked and length": POST + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n",
    "length and chunked": POST + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunked twice": POST + CHUNKED * 2 + b"\r\n0\r\n\r\n",
    "packed and chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    "nearly chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked behind a tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "negative chunk": POST + CHUNKED + b"\r\n-1\r\na\r\n0\r\n\r\n",
    "hexadecimal chunk": POST + CHUNKED + b"\r\n0x1\r\na\r\n0\r\n\r\n",
    "a chunk longer than it says": POST + CHUNKED + b"\r\n1\r\nab0\r\n\r\n",
    "folded header": GET + b"X-A: a\r\n b\r\n\r\n",
    "folded length": POST + b"Content-Length:\r\n 3\r\n\r\nabc",
    "folded first header": b"GET / HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
    "line feed in a header": GET + b"X: a\nY: b\r\n\r\n",
    "carriage return in a header": GET + b"X: a\rY: b\r\n\r\n",
    "NUL in a header": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "NUL in a cookie": GET + b"Cookie: sessionid=a\0b\r\n\r\n",
    "NUL in the path": b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n",
    "header without colon": GET + b"nonsense\r\n\r\n",
    "header without name": GET + b": x\r\n\r\n",
    "space in a name": GET + b"X Y: x\r\n\r\n",
    "letters in a name that are none": GET + b"X\xe9: x\r\n\r\n",
    "two hosts": GET + b"Host: evil.example\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "no method": b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "binary method": b"\x80\xff / HTTP/1.1\r\n" + HOST + b"\r\n",
    "method of 20,000 letters": b"A" * 20_000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "tabs for spaces": b"GET\t/\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "unescaped path": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "header of 20,000 letters": GET + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
    "headers of 20,000 letters": GET + (b"X: " + b"a" * 1000 + b"\r\n") * 20 + b"\r\n",
    "501 headers": GET + b"X: a\r\n" * 501 + b"\r\n",
}


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_request_is_refused_and_nothing_behind_it_is_read(line, request_):
    """Another request behind it: who had it forwarded may have taken that for a part of it."""
    heard = line.say(request_ + GET + b"\r\n").hear_out()

    assert heard in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n")


ODD = {
    "method of many signs": b"!#$%&'*+-.^_`|~ / HTTP/1.1\r\n" + HOST + b"\r\n",
    "method of 9,000 letters": b"A" * 9000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "no slash": b"GET nothing HTTP/1.1\r\n" + HOST + b"\r\n",
    "two slashes": b"GET //evil.example/orders HTTP/1.1\r\n" + HOST + b"\r\n",
    "somebody else's address": b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes in the path": b"GET /\x80\xa0 HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes in the query": b"GET /?a=\x80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in the query": b"GET /?page=%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "half a letter in the path": b"GET /orders/%ed%a0%80/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in a file's name": b"GET /static/%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "type that is none": POST + b"Content-Type: \xff\x81;;;=\r\nContent-Length: 3\r\n\r\nabc",
    "parts without boundary": POST + b"Content-Type: multipart/form-data\r\nContent-Length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("request_", ODD.values(), ids=ODD.keys())
def test_what_is_an_odd_request_gets_an_answer_that_is_no_error_of_ours(line, request_):
    assert re.match(rb"HTTP/1\.1 4\d\d ", line.say(request_).hear())


def test_a_root_path_that_a_client_claims_is_not_heard(line):
    heard = line.say(GET + b"Daphne-Root-Path: /\xe9\r\nConnection: close\r\n\r\n").hear_out()

    assert heard.startswith(b"HTTP/1.1 200 ")
    assert "é".encode() not in heard


ODD_HANDSHAKES = {
    "a subprotocol": {"Sec_WebSocket_Protocol": "a,,\xe9"},
    "bytes in a header": {"X": "\xe9\xff\x80"},
    "a root path": {"Daphne_Root_Path": "/\xe9"},
    "a cookie with NUL": {"Cookie": 'sessionid="\\000"; guest="\\000:a:b"'},
    "an odd key": {"Sec_WebSocket_Key": "\xe9"},
    "an odd extension": {"Sec_WebSocket_Extensions": "permessage-deflate; server_max_window_bits=99;;\xe9"},
    "an origin that is none": {"Origin": "http://[::1"},
    "a port that is none": {"Host": "a:b"},
}


@pytest.mark.parametrize("headers", ODD_HANDSHAKES.values(), ids=ODD_HANDSHAKES.keys())
@pytest.mark.parametrize("address", ["/ws/shop/?ticket=%00%ff%ed%a0%80", "/ws/%00%ff/", "/"])
def test_an_odd_handshake_is_refused_or_closed(line, stack, headers, address):
    status = line.say(handshake(address, stack.url, **headers)).hear()[9:12]

    assert status in (b"101", b"400", b"403", b"404")


@pytest.mark.parametrize("path", ["/stripe-webhook/", "/cart/", "/api/v1/checkout/", "/static/x"])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(line, path):
    line.say(b"POST %s HTTP/1.1\r\n%sExpect: 100-continue\r\n" % (path.encode(), HOST))

    heard = line.say(b"Content-Length: %d\r\n\r\n" % (MOST + 1)).hear_out()
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in heard


def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large(line):
    line.say(POST + CHUNKED + b"\r\n")
    for _ in range(MOST // 10_000 + 1):
        line.say(b"2710\r\n" + b"x" * 10_000 + b"\r\n")

    assert line.hear().startswith(b"HTTP/1.1 413 ")


def test_who_sends_on_after_a_refusal_fills_no_memory(stack):
    before = stack.memory()
    for head in (b"Content-Length: 99000000\r\n\r\n", CHUNKED + b"\r\n"):
        with Line(stack.port) as line:
            line.say(POST + head)
            for _ in range(300):
                line.say(b"186A0\r\n" + b"x" * 100_000 + b"\r\n")
            assert line.hear().startswith(b"HTTP/1.1 413 ")
    assert stack.memory() - before < 8_000_000


def test_a_body_of_just_under_a_megabyte_is_taken(line):
    body = b"a=" + b"x" * (MOST - 2)
    line.say(POST + b"Content-Type: application/x-www-form-urlencoded\r\n")
    line.say(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert line.hear().startswith(b"HTTP/1.1 403 ")  # it has no token


def test_requests_follow_each_other_on_one_line(line):
    body = b"Content-Length: 3\r\n\r\na=b" + POST + CHUNKED + b"\r\n3\r\na=b\r\n0\r\n\r\n"
    heard = line.say(POST + body + GET + b"Connection: close\r\n\r\n").hear_out()

    assert re.findall(rb"HTTP/1\.1 (\d+) ", heard) == [b"403", b"403", b"200"]


@pytest.mark.parametrize("start", [b"GET / HT", POST + b"Content-Length: 99\r\n\r\n"], ids=["head", "body"])
def test_a_byte_now_and_then_does_not_make_a_request_last_longer_than_a_minute(start):
    clock, wire = Clock(), StringTransport()
    channel = Channel()
    channel.callLater, channel.timeOut = clock.callLater, 60
    channel.makeConnection(wire)
    channel.dataReceived(start)

    for _ in range(5):
        clock.advance(11)
        channel.dataReceived(b"a")
        assert not wire.disconnecting
    clock.advance(11)
    assert wire.disconnecting


@pytest.mark.parametrize("path", ["/cart/", "/checkout/", "/api/v1/checkout/"])
async def test_under_any_server_no_more_than_a_megabyte_is_read(path):
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    client = ApplicationCommunicator(application, scope)
    for _ in range(MOST // 100_000 + 1):
        await client.send_input({"type": "http.request", "body": b"x" * 100_000, "more_body": True})

    assert (await client.receive_output())["status"] == 413
    await client.wait()


def test_a_socket_whose_request_has_a_body_says_something_by_it(stack):
    visit = Visit(stack.url)
    with Line(stack.port) as line:
        line.say(handshake(visit.address, stack.url, visit.cookies, Content_Length="6") + b"\x81\x80mask")
        assert b"\x03\xf0" in line.hear_out()  # 1008: a page has nothing to say
