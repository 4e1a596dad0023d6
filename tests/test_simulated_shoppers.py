"""`python -m sandbox shoppers`: people who buy at a running shop, and nowhere else."""

import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from sandbox import parts
from tests.local_stripe import ROOT, eventually
from tests.stack import Stack

# 08:35:31  #2    paid           €52.00  1 × bicycle-bell, 1 × door-chime  (declined card, then card)
VISIT = re.compile(r"\d\d:\d\d:\d\d  #(\d+) +([a-z]+(?: [a-z]+)*) {2,}(.*)")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of their own, with quick banks and full shelves: a crowd leaves little to others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_STRIPE_DEBIT_SECONDS", "1")
        running = Stack(tmp_path_factory.mktemp("shoppers"))
    with running:
        with psycopg.connect(running.database.url) as connection:
            connection.execute("UPDATE shop_product SET stock = 10000")
        yield running


class Shoppers:
    """A crowd as a process; `lines` is what it has said so far."""

    def __init__(self, shop: str, *options: str) -> None:
        command = [sys.executable, "-m", "sandbox", "shoppers", "--shop", shop, "--thinking", "0", *options]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> "Shoppers":
        return self

    def __exit__(self, *failure: object) -> None:
        self.process.kill()
        self.wait()

    def wait(self, seconds: float = 60) -> int:
        code = self.process.wait(seconds)
        self._reader.join()
        return code

    @property
    def visits(self) -> dict[int, tuple[str, str]]:
        """By number: how it ended, and the rest of the line."""
        found = [match for line in self.lines if (match := VISIT.fullmatch(line))]
        return {int(match[1]): (match[2], match[3]) for match in found}

    def said(self, words: str) -> bool:
        return any(words in line for line in self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))


def orders(stack: Stack) -> Counter[str]:
    """How many have each payment status."""
    with psycopg.connect(stack.database.url) as connection:
        rows = connection.execute("SELECT payment_status, count(*) FROM shop_order GROUP BY 1").fetchall()
    return Counter({str(status): int(count) for status, count in rows})


def test_they_buy_and_what_they_paid_for_are_paid_orders(stack: Stack) -> None:
    before = orders(stack)
    # With this seed, twelve people do everything that people do.
    with Shoppers(stack.url, "--per-minute", "600", "--visits", "12", "--seed", "288") as crowd:
        assert crowd.wait() == 0
        ends = Counter(end for end, _ in crowd.visits.values())
        new = orders(stack) - before

        assert sorted(crowd.visits) == list(range(1, 13))
        assert ends.keys() == {"paid", "failed", "abandoned", "cancelled"}
        assert (new["paid"], new["failed"]) == (ends["paid"], ends["failed"])
        assert new.total() == 12
        notes = (
            "declined card, then card",
            "3-D Secure card",
            "3-D Secure, refused, then card",
            "bank debit",
        )
        for words in (*notes, "failing bank debit", "came back to pay"):
            assert crowd.said(words)
        assert re.fullmatch(rf"12 visits in \d+ s: {ends['paid']} paid, .*\.", crowd.lines[-1])


def test_a_seed_brings_the_same_people_again(stack: Stack) -> None:
    def people(seed: str) -> dict[int, tuple[str, str]]:
        with Shoppers(stack.url, "--per-minute", "600", "--visits", "4", "--seed", seed) as crowd:
            assert crowd.wait() == 0
            return crowd.visits

    first = people("17")
    assert people("17") == first
    assert people("18") != first


def test_they_wait_for_a_shop_that_is_away(stack: Stack) -> None:
    stack.kill_daphne()
    try:
        with Shoppers(stack.url, "--per-minute", "600", "--seed", "5") as crowd:
            eventually(lambda: crowd.said(f"{stack.url} does not answer: trying again"), 30)
            stack.start_daphne()
            eventually(lambda: "paid" in [end for end, _ in crowd.visits.values()], 30)
    finally:
        if not stack.daphne.running:
            stack.start_daphne()


def test_they_try_again_while_stripe_is_away(stack: Stack) -> None:
    stack.stripe.kill()
    stack.stripe.wait(5)
    asked = stack.daphne.log.read_text().count("/pay/")
    try:
        with Shoppers(stack.url, "--per-minute", "600", "--visits", "1", "--seed", "5") as crowd:
            eventually(lambda: stack.daphne.log.read_text().count("/pay/") > asked, 30)
            assert not crowd.visits
            stack.stripe.start().wait_until(parts.is_healthy(stack.stripe_port))
            assert crowd.wait() == 0
            assert crowd.visits[1][0] == "abandoned"  # as this person does, at Stripe's page
    finally:
        if not stack.stripe.running:
            stack.stripe.start().wait_until(parts.is_healthy(stack.stripe_port))


@pytest.mark.parametrize("stopper", [signal.SIGINT, signal.SIGTERM])
def test_they_stop_at_once_and_say_how_it_was(stack: Stack, stopper: signal.Signals) -> None:
    with Shoppers(stack.url, "--per-minute", "600", "--seed", "5") as crowd:
        eventually(lambda: crowd.visits, 30)
        crowd.process.send_signal(stopper)
        assert crowd.wait(10) == 0

        assert re.fullmatch(r"\d+ visits in \d+ s: .*\.", crowd.lines[-1])
        assert not crowd.said("Traceback")


@contextmanager
def shop_that_sends_to(address: str) -> Iterator[tuple[str, list[str]]]:
    """The shop's page with one thing on it; its address, and what was posted to it."""
    posted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = b'<form id="buy" method="post" action="/checkout/"><input name="quantity-bell"></form>'
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(303)
            self.send_header("Location", address)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "address",
    [
        "https://checkout.stripe.com/c/pay/cs_test_1",
        "http://192.0.2.1:12111/c/pay/cs_test_1",
        "https://127.0.0.1.evil.example/c/pay/cs_test_1",
    ],
)
def test_they_never_pay_anywhere_but_at_the_local_stripe(address: str) -> None:
    with (
        shop_that_sends_to(address) as (shop, posted),
        Shoppers(shop, "--per-minute", "6000", "--minutes", "0.1") as crowd,
    ):
        assert crowd.wait(30) == 1
        assert crowd.said("which is not the local Stripe: nothing was paid.")
        assert not crowd.said("Traceback")
        # One went ahead; nobody else has come.
        assert len(posted) == 1


@pytest.mark.parametrize(
    "wrong",
    [["--per-minute", "0"], ["--minutes", "-1"], ["--thinking", "x"], ["--shop", "shop"]],
    ids=lambda wrong: wrong[0],
)
def test_an_option_that_makes_no_sense_is_a_sentence(wrong: Any) -> None:
    with Shoppers("http://127.0.0.1:1", *wrong) as crowd:
        assert crowd.wait(10) == 2
        assert crowd.said(f"argument {wrong[0]}: invalid")
        assert not crowd.said("Traceback")
