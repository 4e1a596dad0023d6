"""What a client of the real web process sees: close codes, refusals, and never a traceback in the log."""

from contextlib import ExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.raw import Visit
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("no_traceback")


@pytest.fixture
def visit(stack: Stack) -> Visit:
    return Visit(stack.url)


def closed(socket: ClientConnection) -> int:
    """The code with which the server closes it; what it sends before is skipped."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=10)
    assert socket.close_code is not None
    return socket.close_code


@pytest.mark.parametrize("frame", ["hello", b"\x00\xff"], ids=["text", "binary"])
def test_a_page_that_says_anything_is_closed_with_1008(visit, frame):
    with visit.connect() as socket:
        socket.recv(timeout=10)
        socket.send(frame)
        assert closed(socket) == 1008


@pytest.mark.parametrize("frame", ["x" * 10_000_000, b"\0" * 65_537], ids=["text", "binary"])
def test_more_than_64_kilobytes_are_not_even_read(visit, frame):
    with visit.connect() as socket:
        socket.recv(timeout=10)
        with suppress(ConnectionClosed):
            socket.send(frame)
        # The line may break before the reason has come through.
        assert closed(socket) in (1009, 1006)


def test_the_first_bytes_of_a_large_frame_are_enough_to_close_it(visit):
    with visit.open() as line:
        line.say(b"\x82\xff" + (65_537).to_bytes(8) + b"mask" + b"x")
        assert b"\x03\xf1" in line.hear_out()  # 1009, and why


def test_a_message_that_comes_in_many_frames_is_closed_when_it_is_too_large(visit):
    with visit.open() as line:
        line.say(b"\x02\xfe\xff\xffmask" + b"x" * 65_535 + b"\x00\x82mask")
        assert b"\x03\xf1" in line.hear_out()


def test_a_page_with_a_false_ticket_is_closed_with_4401(visit):
    with visit.connect("/ws/shop/?ticket=garbage") as socket:
        assert closed(socket) == 4401


def test_the_eleventh_page_is_closed_with_4429(visit):
    with ExitStack() as pages:
        for _ in range(10):
            pages.enter_context(visit.connect()).recv(timeout=10)
        assert closed(pages.enter_context(visit.connect())) == 4429


@pytest.mark.parametrize("origin", [None, "null", "http://shop.example", "http://127.0.0.1:1"])
def test_a_socket_of_another_origin_is_answered_with_403(visit, origin):
    with pytest.raises(InvalidStatus) as refusal:
        visit.connect(origin=origin)
    assert refusal.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/orders/1/", "/stripe-webhook/"])
def test_a_socket_at_an_unknown_address_is_answered_with_404_42(visit, path):
    with pytest.raises(InvalidStatus) as refusal:
        visit.connect(path)
    assert refusal.value.response.status_code == 404


def test_a_page_that_says_thousands_of_things_at_once_is_closed_once_and_logged_once(visit, stack):
    before = stack.daphne.log.stat().st_size
    with visit.open() as line:
        heard = line.say(b"\x81\x80mask" * 5_000).hear_out()

    assert heard.count(b"\x88\x02\x03\xf0") == 1  # 1008
    said = stack.daphne.log.read_text()[before:]
    assert said.count("Socket closed") == 1
