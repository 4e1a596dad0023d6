"""The whole shop as `make run` starts it, for tests that look at it from outside.

Its own database and Valkey, the local Stripe, one Daphne; each part can be killed and started again.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx
import psycopg
from psycopg import sql

from bench.stage import resident
from sandbox import parts
from sandbox.kept_secrets import new_secret
from sandbox.mail import Mailbox, mailbox_url
from sandbox.ports import free_port
from sandbox.processes import stop_all
from sandbox.valkey import Valkey

# Short gaps between the deliveries of a webhook that found nobody.
STRIPE_RETRIES = "0.3 0.3 0.3 0.5"


class Database:
    """An empty one of its own beside that of DATABASE_URL, whatever server that is."""

    def __init__(self) -> None:
        self.name = f"stack_{uuid.uuid4().hex}"
        given = urlsplit(os.environ["DATABASE_URL"])
        self.url = given._replace(path=f"/{self.name}").geturl()
        self._server = given._replace(path="/postgres").geturl()

    def create(self) -> None:
        self._run("CREATE DATABASE {}")

    def drop(self) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)")

    def cut_off(self) -> None:
        """Throw everybody out and let nobody in, as if the server had gone."""
        self._run("ALTER DATABASE {} ALLOW_CONNECTIONS false")
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.name]
            )

    def let_in(self) -> None:
        self._run("ALTER DATABASE {} ALLOW_CONNECTIONS true")

    def stock_up(self) -> None:
        """Many tests buy here; what is in short supply they see to themselves."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE shop_product SET stock = 1000 WHERE stock IS NOT NULL")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self.name)))


class Stack:
    """`with Stack(tmp_path) as stack:` serves at `stack.url` until the end of the block."""

    def __init__(self, directory: Path) -> None:
        logs = directory / "logs"
        self.port, self.stripe_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = Database()
        self.valkey = Valkey(directory / "valkey", logs=logs)
        self.mailbox = Mailbox(directory / "mail")
        env = os.environ | self._addresses() | {"DATA_DIR": str(directory), "LOG_LEVEL": "INFO"}
        env["EMAIL_URL"] = mailbox_url(self.mailbox.path)
        self.env = env
        self._preparation = parts.prepare(env=env, logs=logs)
        self.stripe = parts.local_stripe(self.stripe_port, env=env, logs=logs)
        self.daphne = parts.daphne(self.port, env=env, logs=logs)
        self.worker = parts.worker(env=env, logs=logs)

    def __enter__(self) -> Self:
        try:
            self.valkey.start()
            self.stripe.start()
            self.database.create()
            self._preparation.start()
            assert self._preparation.wait(60)
            assert self._preparation.exit_code == 0, self._preparation.obituary()
            self.database.stock_up()
            self.worker.start()
            self.valkey.wait_until_ready()
            self.stripe.wait_until(parts.is_healthy(self.stripe_port))
            self.start_daphne()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        stop_all([self.daphne, self.worker, self.stripe, self._preparation])
        self.valkey.stop()
        self.database.drop()

    def reconcile(self) -> None:
        """Have the worker do now what it does each minute."""
        call = "from shop.tasks import reconcile; reconcile.defer(timestamp=0)"
        manage = [sys.executable, "manage.py", "shell", "--no-imports", "-c", call]
        subprocess.run(manage, env=self.env, check=True, capture_output=True)

    def link_in_mail(self, about: str) -> str:
        """The first link in the next e-mail whose subject says that."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for line in self.mailbox.news():
                if about in line:
                    return next(part for part in line.split(" · ") if part.startswith("http"))
            time.sleep(0.05)
        raise AssertionError(f"No e-mail about {about!r}. {self.worker.log_tail()}")

    @contextmanager
    def without_database(self) -> Iterator[None]:
        """Afterwards there is a worker again: one without a database ends itself, sooner or later."""
        self.database.cut_off()
        try:
            yield
        finally:
            self.database.let_in()
            self.worker.stop()
            self.worker.start()

    @contextmanager
    def webhooks_off(self) -> Iterator[None]:
        """Switched off where Stripe's dashboard switches them off, too."""
        control = f"http://127.0.0.1:{self.stripe_port}"
        with httpx.Client(base_url=control, headers={"Accept": "application/json"}, trust_env=False) as page:
            [endpoint] = page.get("/").json()["endpoints"]
            page.post(f"/control/endpoints/{endpoint['id']}/disable").raise_for_status()
            try:
                yield
            finally:
                page.post(f"/control/endpoints/{endpoint['id']}/enable").raise_for_status()

    def memory(self) -> int:
        """Bytes that the web process has now."""
        return resident(self.daphne)

    def kill_daphne(self) -> None:
        self.daphne.kill()
        self.daphne.wait(5)

    def start_daphne(self) -> None:
        self.daphne.start().wait_until(parts.is_ready(self.port))

    @contextmanager
    def another_web(self, **settings: str) -> Iterator[str]:
        """The address of another web process of this shop, with these settings; gone at the end."""
        port = free_port()
        logs = self.daphne.log.parent
        web = parts.daphne(port, env=self.env | settings, logs=logs, name=f"daphne-{port}")
        try:
            web.start().wait_until(parts.is_ready(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            stop_all([web])

    def kill_valkey(self) -> None:
        self.valkey.process.kill()
        self.valkey.process.wait(5)

    def start_valkey(self) -> None:
        self.valkey.start().wait_until_ready()

    def _addresses(self) -> dict[str, str]:
        webhook_secret = new_secret("STRIPE_WEBHOOK_SECRET")
        return {
            "DATABASE_URL": self.database.url,
            "REDIS_URL": self.valkey.url,
            "PUBLIC_URL": self.url,
            "SECRET_KEY": new_secret("SECRET_KEY"),
            "STRIPE_SECRET_KEY": new_secret("STRIPE_SECRET_KEY"),
            "STRIPE_WEBHOOK_SECRET": webhook_secret,
            "STRIPE_API_BASE": f"http://127.0.0.1:{self.stripe_port}",
            "SANDBOX_STRIPE_WEBHOOKS": f"{self.url}/stripe-webhook/|{webhook_secret}",
            "SANDBOX_STRIPE_RETRY_SECONDS": STRIPE_RETRIES,
            "STAFF_USERNAME": "staff",
            "STAFF_PASSWORD": new_secret("STAFF_PASSWORD"),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
