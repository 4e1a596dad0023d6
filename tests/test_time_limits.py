"""Promises in seconds: other tests shorten our patience to see what happens then; here it is what it is."""

import asyncio
import re
import shlex
from argparse import Namespace

import pytest
from asgiref.sync import sync_to_async
from autobahn.twisted.websocket import WebSocketServerFactory
from daphne import server
from daphne.cli import CommandLineInterface
from twisted.internet.task import Clock

from realtime import pages, sweep
from sandbox import parts
from sandbox.environment import ROOT
from shop.checkout import LETTING_GO
from shop.stripe_client import TIME_LIMIT
from tests import factories
from tests.live import until
from tests.test_stripe_trouble import answer

ANSWERED = 12
"""Whatever Stripe does."""
PATROL_TAKES = 0.5
CLOSED = 5
"""After the end of the session, or of the right, behind a page."""
DROPPED = 60
"""After a client read for the last time."""


def test_letting_an_earlier_order_go_and_asking_for_a_session_take_no_longer_than_a_shopper_waits():
    """The longest way. Each of both is a limit of all tries together."""
    assert LETTING_GO + TIME_LIMIT <= ANSWERED


@pytest.mark.django_db(transaction=True)
async def test_a_silent_stripe_is_given_up_before_the_sdk_tries_again(line, monkeypatch):
    """The SDK would begin another try of the same length when one has taken its time."""
    bell = await sync_to_async(factories.product)()
    line.next_come(*["silence"] * 3)
    buying = asyncio.create_task(answer("POST", "/checkout/", bell))
    await until(lambda: line.asked)

    loop = asyncio.get_running_loop()
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + TIME_LIMIT)

    assert await buying == 503
    assert len(line.asked) == 1


def test_a_patrol_comes_in_time_to_close_the_pages_of_a_session_that_is_over():
    assert sweep.INTERVAL + PATROL_TAKES <= CLOSED


def test_a_page_that_makes_no_room_is_dropped_in_time_even_if_it_does_not_hear_of_it():
    goodbye = WebSocketServerFactory().closeHandshakeTimeout
    assert pages.PATIENCE + goodbye <= DROPPED


@pytest.fixture
def check_interval(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds between two looks of Daphne's at whom to ping."""
    clock = Clock()
    monkeypatch.setattr(server, "reactor", clock)
    daphne = server.Server(None, endpoints=["tcp:port=0"])
    daphne.connections = {}
    daphne.timeout_checker()
    [call] = clock.getDelayedCalls()
    return float(call.time)


@pytest.mark.parametrize("where", ["sandbox", "systemd"])
def test_a_client_that_is_asked_and_does_not_answer_is_dropped_in_time(where, check_interval, tmp_path):
    """At worst it went away just after it had answered."""
    if where == "sandbox":
        options = options_of(parts.daphne(8001, env={}, logs=tmp_path).command[3:])
    else:
        unit = (ROOT / "deploy" / "systemd" / "shopbell-web@.service").read_text()
        [command] = re.findall(r"^ExecStart=\S+/daphne (.+)$", unit, re.MULTILINE)
        options = options_of(shlex.split(command))

    assert options.ping_interval > 0
    assert options.ping_timeout > 0, "none would be for ever"
    assert options.ping_interval + check_interval + options.ping_timeout <= DROPPED


def options_of(arguments: list[str]) -> Namespace:
    options: Namespace = CommandLineInterface().parser.parse_args(arguments)
    return options
