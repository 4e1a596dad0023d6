"""A whole shop that can be hurt: two web processes behind a front, and everything that they rely on."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random
from typing import Self

from sandbox import nginx, parts
from sandbox.environment import ONE_NETWORK, ROOT
from sandbox.kept_secrets import new_secret
from sandbox.mail import mailbox_url
from sandbox.nginx import Nginx
from sandbox.ports import free_port
from sandbox.postgres import SESSION_OPTIONS, Postgres
from sandbox.processes import Process, stop_all
from sandbox.valkey import Valkey
from tests.faults.broken.apps import BURNT
from tests.faults.disk import own_disk
from tests.faults.history import History
from tests.faults.line import Line
from tests.faults.page import Page
from tests.faults.post import Post
from tests.faults.waiting import until

BAD_WEBHOOKS = "duplicate=25 reorder=10 reorder_seconds=1 corrupt=5"
"""As they are all the time here: per cent of the deliveries."""
STRIPE_RETRIES = "0.3 0.5 1 2"  # seconds between the deliveries of a webhook that found nobody
WEBS = 2
DISK = 1 << 30
"""Bytes, for the database."""
DATABASE_SETTINGS = {"max_wal_size": "256MB"}
"""PostgreSQL's own would fill that disk by itself."""
RESTART = 1.0
"""Seconds until systemd starts again what has ended: RestartSec in deploy/systemd."""


class World:
    """`async with World(…) as world:`; `world.url` is the shop's address until the end of the block."""

    def __init__(self, directory: Path, seed: int, *, mutant: str = "", without_valkey: bool = False) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.dice = Random(f"{seed} world")  # noqa: S311
        self.history = History(directory / "history.jsonl")
        self.pages: list[Page] = []
        """All that are open."""
        self.fuse = directory / "fuse"
        """While it exists, the next web process that has committed a change of an order dies."""
        self.burnt = 0
        """Web processes that have died so."""
        self.mail = directory / "mail"
        self.without_valkey = without_valkey
        self.port, self.stripe_port, self.post_port, *self.web_ports = (free_port() for _ in range(3 + WEBS))
        self.url = f"http://127.0.0.1:{self.port}"
        self.stripe_url = f"http://127.0.0.1:{self.stripe_port}"
        self.secret = new_secret("STRIPE_WEBHOOK_SECRET")
        self.staff_password = new_secret("STAFF_PASSWORD")
        self._seed = seed
        self._mutant = mutant
        self._away: set[Process] = set()
        """Those that somebody has ended on purpose."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undone:
            await self._open(undone)
            self._undone = undone.pop_all()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._undone.aclose()

    async def _open(self, undone: AsyncExitStack) -> None:
        """Whatever is begun is left to `undone` first, which goes backwards and skips nothing."""
        undone.callback(self.history.close)
        self._is_mounted = undone.enter_context(own_disk(self.directory / "disk", DISK))
        self._build()
        for line in (self.valkey_line, self.post, self.front):
            if not isinstance(line, Nginx):
                undone.push_async_callback(line.close)
        for server in (self.postgres, self.valkey, self.front):
            if not isinstance(server, Line):
                undone.push_async_callback(asyncio.to_thread, server.stop)
        undone.push_async_callback(asyncio.to_thread, self._stop_programs)
        await self._start()
        keeping = asyncio.create_task(self._keep())
        undone.push_async_callback(_end, keeping)
        undone.callback(self._close_pages)

    def _build(self) -> None:
        self.postgres = Postgres(
            self.directory / "disk" / "postgres", logs=self.logs, settings=DATABASE_SETTINGS
        )
        self.valkey = Valkey(self.directory / "valkey", logs=self.logs)
        self.valkey_line = Line(self.directory / "valkey.line", [self.valkey.socket])
        self.front = self._front()
        self.post = Post(self.post_port, self.port, self.secret, self.history, self.dice)
        self.env = self._environment()
        self.stripe = parts.local_stripe(self.stripe_port, env=self.env, logs=self.logs)
        self.webs = [self.web(port, self.env) for port in self.web_ports]
        self.worker = parts.worker(env=self.env, logs=self.logs)

    def web(self, port: int, env: Mapping[str, str], name: str = "") -> Process:
        env = {**env, "FAULTS_FUSE": str(self.fuse)}
        return parts.daphne(port, env=env, logs=self.logs, name=name or f"web-{port}")

    async def _start(self) -> None:
        self.postgres.start()
        self.stripe.start()
        await asyncio.gather(self.valkey_line.open(), self.post.open())
        if isinstance(self.front, Line):
            await self.front.open()
        else:
            self.front.start().wait_until_ready()
        if not self.without_valkey:
            await self.start_valkey()
        await self.until_database_answers()
        await self.run(sys.executable, "-m", "sandbox.prepare")
        self.worker.start()
        for web in self.webs:
            await self.start_web(web)
        await until(parts.is_healthy(self.stripe_port))

    def _close_pages(self) -> None:
        for page in self.pages:
            page.close()

    def _stop_programs(self) -> None:
        stop_all([*self.webs, self.worker, self.stripe])

    @property
    def has_own_disk(self) -> bool:
        """PostgreSQL's data may have had to go elsewhere, and that disk is not ours to fill."""
        its = self.postgres.directory.resolve().stat().st_dev
        return self._is_mounted and its == (self.directory / "disk").stat().st_dev

    @property
    def is_behind_nginx(self) -> bool:
        return isinstance(self.front, Nginx)

    # --- its parts, hurt and mended -----------------------------------------------------------------

    def kill(self, process: Process) -> None:
        """Without a chance to end anything. It stays away until it is started."""
        self._away.add(process)
        process.kill()
        self.history.note("killed", process=process.name)

    def start(self, process: Process) -> None:
        """Does not wait."""
        self._away.discard(process)
        if not process.running:
            process.start()

    async def start_web(self, web: Process) -> None:
        """Returns when it answers."""
        self.start(web)
        await until(parts.is_ready(self.web_ports[self.webs.index(web)]), 30)

    async def stop_web(self, web: Process) -> None:
        """As systemd does. It stays away until it is started."""
        self._away.add(web)
        web.ask_to_stop()
        await until(lambda: not web.running, 20)

    async def start_valkey(self) -> None:
        self.valkey.start()
        await until(self.valkey.answers)

    async def until_database_answers(self) -> None:
        await until(self.postgres.has_database, 30)

    async def keep_alive(self) -> None:
        """Start what has died of what was done to something else. Returns when all answer."""
        self._revive()
        for web in self.webs:
            await self.start_web(web)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(RESTART)
            self._revive()

    def _revive(self) -> None:
        """As systemd would. A worker may end of a database that it has lost; a web process may not."""
        for process in (self.worker, *self.webs):
            if process.running or process in self._away:
                continue
            if process.exit_code == BURNT:
                self.burnt += 1
                self.history.note("killed", process=process.name)
            elif process is not self.worker:
                self.history.violation("G", f"{process.name} ended by itself with {process.exit_code}")
            process.start()

    async def run(self, *command: str) -> str:
        """A command in the shop's environment; what it printed."""
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=self.env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        printed, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {printed.decode()}")
        return printed.decode()

    async def manage(self, *command: str) -> str:
        return await self.run(sys.executable, "manage.py", *command)

    def _front(self) -> Line | Nginx:
        """As in deploy/ where there is an nginx, else a line that asks the next process where one is away."""
        if nginx.find():
            return Nginx(self.directory / "nginx", logs=self.logs, port=self.port, processes=self.web_ports)
        return Line(("127.0.0.1", self.port), [("127.0.0.1", port) for port in self.web_ports])

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "FAULTS_MUTANT": self._mutant,
            "DATA_DIR": str(self.directory),
            "DATABASE_URL": self.postgres.url,
            "DATABASE_SESSION_OPTIONS": SESSION_OPTIONS,
            "REDIS_URL": f"unix://{self.valkey_line.here}",
            "PUBLIC_URL": self.url,
            "TRUSTED_PROXIES": "127.0.0.1" if isinstance(self.front, Nginx) else "",
            **ONE_NETWORK,
            "SECRET_KEY": new_secret("SECRET_KEY"),
            "STRIPE_SECRET_KEY": new_secret("STRIPE_SECRET_KEY"),
            "STRIPE_WEBHOOK_SECRET": self.secret,
            "STRIPE_API_BASE": self.stripe_url,
            "SANDBOX_STRIPE_WEBHOOKS": f"http://127.0.0.1:{self.post_port}/|{self.secret}",
            "SANDBOX_STRIPE_CHAOS": f"{BAD_WEBHOOKS} seed={self._seed}",
            "SANDBOX_STRIPE_RETRY_SECONDS": STRIPE_RETRIES,
            "SANDBOX_STRIPE_DEBIT_SECONDS": "1",
            "EMAIL_URL": mailbox_url(self.mail),
            "STAFF_USERNAME": "staff",
            "STAFF_PASSWORD": self.staff_password,
            "LOG_LEVEL": "WARNING",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
