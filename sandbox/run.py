"""`make run`: everything that the shop needs, in order, until somebody stops it."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from sandbox import parts
from sandbox.data_dir import DataDir
from sandbox.embedded import Embedded
from sandbox.environment import ROOT, given, read_dotenv, shop_environment
from sandbox.interruptions import Interrupted, ignore_interruptions, interruptions
from sandbox.ports import wanted_port
from sandbox.problem import Problem
from sandbox.processes import Process, stop_all


def main(arguments: list[str]) -> int:
    read_dotenv()
    with interruptions():
        shop = Shop()
        try:
            shop.open()
            shop.watch()
        except Interrupted:
            print()
        finally:
            ignore_interruptions()
            with step("Stopping"):
                shop.close()
    return 0


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """One line of progress: what is done, and how long it took."""
    started = time.monotonic()
    print(f"{text} … ", end="", flush=True)
    try:
        yield
    except Problem:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - started:.1f} s", flush=True)


class Shop:
    """The running whole. Whatever stands in the environment already is used instead of an own part."""

    def __init__(self) -> None:
        self.port = wanted_port("PORT")
        self.own_stripe = not given("STRIPE_SECRET_KEY")
        self.stripe_port = wanted_port("SANDBOX_STRIPE_PORT") if self.own_stripe else 0
        self.data_dir = DataDir(Path(given("DATA_DIR") or ROOT / ".data"))
        self.embedded = Embedded(self.data_dir.path, logs=self.data_dir.logs)
        self.env = shop_environment(self.data_dir.path, self.port, self.stripe_port) | self.embedded.env
        self.programs: list[Process] = []

    def open(self) -> None:
        logs = self.data_dir.logs
        stripe = parts.local_stripe(self.stripe_port, env=self.env, logs=logs)
        if self.own_stripe:
            self.programs.append(stripe.start())  # it warms up while the others start
        self._start_embedded()
        with step("Preparing the database"):
            self._prepare()
        if self.own_stripe:
            with step("Starting the local Stripe"):
                stripe.wait_until(parts.is_healthy(self.stripe_port))
        with step("Starting the shop"):
            web = parts.daphne(self.port, env=self.env, logs=logs)
            self.programs.append(web.start())
            web.wait_until(parts.is_ready(self.port))
        self._announce()

    def _start_embedded(self) -> None:
        if self.embedded.valkey:
            with step("Starting Valkey"):
                self.embedded.valkey.start().wait_until_ready()
        if self.embedded.postgres:
            with step("Starting PostgreSQL"):
                self.embedded.postgres.start().wait_until_ready()

    def _prepare(self) -> None:
        preparation = parts.prepare(env=self.env, logs=self.data_dir.logs)
        self.programs.append(preparation.start())
        if not preparation.wait(120) or preparation.exit_code:
            raise Problem(preparation.obituary())
        self.programs.remove(preparation)

    def _announce(self) -> None:
        here = f"http://127.0.0.1:{self.port}"
        password = "(as set in STAFF_PASSWORD)" if given("STAFF_PASSWORD") else self.env["STAFF_PASSWORD"]
        print()
        print(f"Shop ready at {here}/")
        print(f"Staff login: {self.env['STAFF_USERNAME']} / {password}")
        print(f"Admin at {here}/admin/")
        if self.own_stripe:
            print(f"Local Stripe at http://127.0.0.1:{self.stripe_port}/ (pay with card 4242 4242 4242 4242)")
        print(f"Logs in {self.data_dir.logs}. Ctrl-C stops everything.", flush=True)

    def watch(self) -> None:
        """Returns never: raises Problem when a part dies."""
        while True:
            for process in (*self.programs, *self.embedded.processes):
                if not process.running:
                    raise Problem(process.obituary())
            time.sleep(0.2)

    def close(self) -> None:
        """Who uses a server goes before it."""
        stop_all(self.programs)
        self.embedded.stop()
