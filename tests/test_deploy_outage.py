"""deploy/nginx when the processes behind it are away, come back, or hang; servers stand in their place."""

import inspect
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest
from daphne.server import Server

from sandbox.environment import ROOT
from sandbox.nginx import CONFIGURATION, Nginx
from sandbox.ports import free_port
from tests.deployed import want_nginx
from tests.local_stripe import eventually

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
PAGES = 60


class Web:
    """In the place of a web process: says 200 to what it is asked, and keeps sockets open."""

    def __init__(self) -> None:
        self.port = free_port()
        self.hangs_up = False
        """Before it has answered, like one that is killed."""
        self._lines = set[socket.socket]()
        self._awake = threading.Event()
        self._awake.set()
        self._server: socketserver.ThreadingTCPServer | None = None

    def start(self) -> None:
        web = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    web._answer(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, block_on_close = True, True, False
            request_queue_size = 50  # as Daphne's

        self._server = Server(("127.0.0.1", self.port), Handler)
        self._accept()

    def kill(self) -> None:
        """Whoever asks is refused, and whoever is connected no longer is."""
        self.freeze()
        self._awake.set()
        assert self._server is not None
        self._server.server_close()
        for line in list(self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """The kernel takes connections, and nobody answers."""
        self._awake.clear()
        assert self._server is not None
        self._server.shutdown()

    def thaw(self) -> None:
        self._awake.set()
        self._accept()

    def _accept(self) -> None:
        assert self._server is not None
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        self._lines.add(line)
        try:
            asked = line.recv(65536)
            self._awake.wait()
            if self.hangs_up:
                return
            line.sendall(SWITCHED if b" /ws/" in asked else ANSWERED)
            while b" /ws/" in asked and line.recv(100):
                pass
        finally:
            self._lines.discard(line)


class Page:
    """Stays connected: `with Page(port) as page:` tries again and again, as pages do."""

    def __init__(self, port: int) -> None:
        self.port, self.is_live, self.refusals = port, False, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._stay)
        self._line: socket.socket | None = None

    def __enter__(self) -> "Page":
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _stay(self) -> None:
        while not self._over.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as self._line:
                self._line.sendall(handshake(self.port))
                self.is_live = self._line.recv(1000).startswith(b"HTTP/1.1 101")
                while self.is_live and self._line.recv(100):
                    pass
            self.is_live = False
            self.refusals += 1
            self._over.wait(0.2)


def handshake(port: int) -> bytes:
    host = f"Host: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    return f"GET /ws/shop/ HTTP/1.1\r\n{host}\r\n".encode()


def shake_hands(port: int) -> bytes:
    """Once. The beginning of the answer, within 10 s."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(handshake(port))
        return line.recv(1000)


class Hasty(Nginx):
    """Waits for a page's process for three seconds instead of thirty."""

    def _write(self, name: str, text: str) -> None:
        super()._write(name, text.replace("proxy_read_timeout 30s", "proxy_read_timeout 3s"))


@pytest.fixture
def webs() -> Iterator[list[Web]]:
    webs = [Web(), Web()]
    for web in webs:
        web.start()
    yield webs
    for web in webs:
        web.kill()


@pytest.fixture
def nginx(webs: list[Web], tmp_path) -> Iterator[Nginx]:
    want_nginx()
    ports = [web.port for web in webs]
    running = Nginx(tmp_path / "nginx", logs=tmp_path, port=free_port(), processes=ports)
    running.start().wait_until_ready()
    yield running
    running.stop()


@pytest.fixture
def get(nginx: Nginx) -> Iterator[Callable[[], int]]:
    with httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}", trust_env=False, timeout=60) as client:
        yield lambda: client.get("/").status_code


@pytest.fixture
def pages(nginx: Nginx) -> Iterator[list[Page]]:
    """All connected."""
    with ExitStack() as stack:
        pages = [stack.enter_context(Page(nginx.port)) for _ in range(PAGES)]
        eventually(lambda: all(page.is_live for page in pages))
        yield pages


def test_when_all_processes_were_away_nobody_is_refused_once_they_are_back(webs, pages, get):
    for web in webs:
        web.kill()
    before = [page.refusals for page in pages]
    eventually(lambda: all(page.refusals > was + 2 for page, was in zip(pages, before, strict=True)), 30)
    assert get() == 503

    for web in webs:
        web.start()
    before = [page.refusals for page in pages]
    assert [get() for _ in range(100)] == [200] * 100
    eventually(lambda: all(page.is_live for page in pages))
    # One may have been on its way before.
    assert max(page.refusals - was for page, was in zip(pages, before, strict=True)) <= 1


def test_a_process_that_is_away_is_missed_by_nobody(webs, pages, get):
    webs[0].kill()
    assert [get() for _ in range(50)] == [200] * 50
    eventually(lambda: all(page.is_live for page in pages))


def test_the_last_of_many_is_found(webs, tmp_path):
    """However many have to be asked before."""
    want_nginx()
    ports = [free_port(), free_port(), free_port(), webs[0].port]
    nginx = Nginx(tmp_path / "nginx", logs=tmp_path, port=free_port(), processes=ports)
    nginx.start().wait_until_ready()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}", trust_env=False) as client:
            assert [client.get("/").status_code for _ in range(20)] == [200] * 20
    finally:
        nginx.stop()


def test_one_after_the_other_may_be_restarted_without_a_pause(webs, pages, get):
    for web in webs:
        web.kill()
        assert [get() for _ in range(10)] == [200] * 10
        web.start()
    assert [get() for _ in range(20)] == [200] * 20
    eventually(lambda: all(page.is_live for page in pages))


def test_a_process_that_hangs_does_not_keep_everybody(webs, pages, get):
    """It has fewer pages than the other one, to which they all went when it was restarted."""
    webs[0].kill()
    eventually(lambda: all(page.is_live for page in pages))
    webs[0].start()
    webs[0].freeze()
    answers, over = list[int](), threading.Event()

    def ask_on() -> None:
        while not over.is_set():
            answers.append(get())

    with ThreadPoolExecutor(3) as askers:
        for _ in range(3):
            askers.submit(ask_on)
        try:
            eventually(lambda: len(answers) >= 100, 15)  # seconds: nginx waits 20 for an answer
        finally:
            over.set()
            webs[0].thaw()
    assert set(answers) == {200}


def test_a_page_that_comes_to_a_process_that_hangs_is_given_to_another(webs, tmp_path):
    want_nginx()
    webs[0].freeze()
    ports = [web.port for web in webs]
    nginx = Hasty(tmp_path / "nginx", logs=tmp_path, port=free_port(), processes=ports)
    nginx.start().wait_until_ready()
    try:
        with ThreadPoolExecutor(10) as threads:
            answers = list(threads.map(shake_hands, [nginx.port] * 10))
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 101"}
    finally:
        nginx.stop()


def test_nginx_waits_for_a_ping_and_no_longer_than_a_page():
    """Seconds, but for the page's."""
    sockets = (CONFIGURATION / "shop.conf").read_text().partition("location /ws/")[2].partition("}")[0]
    [patience] = re.findall(r"proxy_read_timeout (\d+)s;", sockets)
    [silence] = re.findall(r"SILENCE = (\d+)_000;", (ROOT / "static" / "live.js").read_text())
    ping = inspect.signature(Server.__init__).parameters["ping_interval"].default
    assert ping + 5 < int(patience) < int(silence) - 5


def test_a_webhook_is_given_to_another_process_and_what_shoppers_send_is_not_sent_twice(webs, nginx):
    """Events count once, whoever is told."""
    webs[0].hangs_up = True
    with httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}", trust_env=False) as client:
        assert {client.post("/stripe-webhook/", content=b"{}").status_code for _ in range(10)} == {200}
        assert {client.post("/checkout/", data={"a": "1"}).status_code for _ in range(10)} == {200, 503}
