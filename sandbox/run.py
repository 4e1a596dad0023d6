"""`make run`: everything that the shop needs, in order, until somebody stops it."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sandbox import parts
from sandbox.accounts import COLLEAGUES, MAY, password_variable
from sandbox.data_dir import DataDir
from sandbox.embedded import Embedded
from sandbox.environment import ROOT, given, read_dotenv, shop_environment
from sandbox.interruptions import Interrupted, ignore_interruptions, interruptions
from sandbox.mail import Mailbox
from sandbox.ports import wanted_port
from sandbox.problem import Problem
from sandbox.processes import Process, stop_all


def main(arguments: list[str]) -> int:
    """Returns 0 when somebody stopped it; raises Problem when something would not start or died."""
    read_dotenv()
    with contextlib.suppress(Interrupted), interruptions():
        shop = Shop()
        try:
            shop.open()
            shop.watch()
        finally:
            ignore_interruptions()
            with step("\nStopping"):
                shop.close()
    return 0


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """One line of progress: what is done, and how long it took."""
    started = time.monotonic()
    say(f"{text} … ", end="")
    try:
        yield
    except Problem:
        say("failed")
        raise
    say(f"{time.monotonic() - started:.1f} s")


def say(text: str, end: str = "\n") -> None:
    with contextlib.suppress(OSError):  # nobody may be reading any more: that is no reason to stop halfway
        print(text, end=end, flush=True)


class Shop:
    """The running whole. Whatever stands in the environment already is used instead of an own part."""

    def __init__(self) -> None:
        self.port = wanted_port("PORT")
        self.own_stripe = not given("STRIPE_SECRET_KEY")
        self.stripe_port = wanted_port("SANDBOX_STRIPE_PORT") if self.own_stripe else 0
        self.data_dir = DataDir(Path(given("DATA_DIR") or ROOT / ".data"))
        self.embedded = Embedded(self.data_dir.path, logs=self.data_dir.logs)
        self.env = shop_environment(self.data_dir.path, self.port, self.stripe_port) | self.embedded.env
        self.mailbox = None if given("EMAIL_URL") else Mailbox(self.data_dir.path / "mail")
        self.programs: list[Process] = []
        self._notes: list[str] = []

    def open(self) -> None:
        logs = self.data_dir.logs
        stripe = parts.local_stripe(self.stripe_port, env=self.env, logs=logs)
        if self.own_stripe:
            self.programs.append(stripe.start())  # it warms up while the others start
        if self.embedded.servers:
            with step(f"Starting {' and '.join(server.name for server in self.embedded.servers)}"):
                self.embedded.start().wait_until_ready()
        preparation = parts.prepare(env=self.env, logs=logs).start()
        web = parts.daphne(self.port, env=self.env, logs=logs)
        worker = parts.worker(env=self.env, logs=logs)
        self.programs += [preparation, web, worker]
        if self._schema_is_known():
            web.start()  # both take their time to import
        with step("Preparing the database"):
            self._finish(preparation)
        worker.start()
        if self.own_stripe:
            with step("Starting the local Stripe"):
                stripe.wait_until(parts.is_healthy(self.stripe_port))
        with step("Starting the shop"):
            if not web.running:
                web.start()
            web.wait_until(parts.is_ready(self.port))
        self._announce()

    def _finish(self, preparation: Process) -> None:
        if not preparation.wait(120) or preparation.exit_code:
            raise Problem(preparation.obituary())
        self.programs.remove(preparation)
        self._notes = [line for line in preparation.log.read_text().splitlines() if line.startswith("Note: ")]
        self._prepared.write_text(self._schema())

    def _schema_is_known(self) -> bool:
        """Whether an earlier start has migrated already: if not, nobody may look before that is done."""
        return self._prepared.exists() and self._prepared.read_text() == self._schema()

    @property
    def _prepared(self) -> Path:
        return self.data_dir.path / "prepared"

    def _schema(self) -> str:
        """Names the database and every migration, those of the installed packages by their pins."""
        sources = [ROOT / "requirements.txt", *sorted(ROOT.glob("*/migrations/*.py"))]
        parts = [self.env.get("DATABASE_URL", "").encode(), *(path.read_bytes() for path in sources)]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def _announce(self) -> None:
        here = f"http://127.0.0.1:{self.port}"
        say(f"\nShop ready at {here}/")
        say(f"Staff login: {self.env['STAFF_USERNAME']} / {self._password('STAFF_PASSWORD')}")
        say(f"Admin at {here}/admin/")
        say(f"Dashboard at {here}/dashboard/ (make demo brings it shoppers), also for")
        for username in COLLEAGUES:
            say(f"  {username} / {self._password(password_variable(username))}, who {MAY[username]}")
        if self.own_stripe:
            stripe = f"http://127.0.0.1:{self.stripe_port}/"
            say(f"Local Stripe and its controls at {stripe} (pay with card 4242 4242 4242 4242)")
        if self.mailbox:
            say(f"E-mails in {self.mailbox.path}, each named here as it comes")
        for note in self._notes:
            say(note)
        say(f"Logs in {self.data_dir.logs}. Ctrl-C stops everything.")

    def _password(self, variable: str) -> str:
        return f"(as set in {variable})" if given(variable) else self.env[variable]

    def watch(self) -> None:
        """Tells of e-mails. Raises Problem when a part dies.

        Returns when the terminal is gone: where make leads the session, nobody sends us a SIGHUP.
        """
        at_terminal = os.isatty(0)
        while os.isatty(0) == at_terminal:
            for process in (*self.programs, *self.embedded.processes):
                if not process.running:
                    raise Problem(process.obituary())
            for line in self.mailbox.news() if self.mailbox else ():
                say(line)
            time.sleep(0.2)

    def close(self) -> None:
        """Who uses a server goes before it."""
        stop_all(self.programs)
        self.embedded.stop()
