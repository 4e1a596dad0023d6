"""dj-stripe's webhook endpoint: its own packages, its own database, the same server as ours."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.report import progress
from bench.stage import Server, database, server
from bench.stripe_stub import Stub
from sandbox.environment import ROOT, given
from sandbox.install import VENV
from sandbox.problem import Problem

REQUIREMENTS = ROOT / "bench" / "djstripe" / "requirements.txt"
API_KEY = "sk_test_000000000000000000000000"
"""Not the shop's: nothing of this may ever reach a real account."""


@dataclass(frozen=True, slots=True)
class Peer:
    server: Server
    path: str
    """Where it takes events."""
    database: str

    def processed(self) -> int:
        """Events that it verified, stored and synchronised the session of."""
        with psycopg.connect(self.database) as connection:
            row = connection.execute(
                """
                SELECT count(*) FROM djstripe_webhookeventtrigger AS delivery
                JOIN djstripe_event AS event ON event.id = delivery.event_id
                JOIN djstripe_session AS session ON session.id = event.data->'object'->>'id'
                WHERE delivery.valid AND delivery.processed
                    AND session.stripe_data->>'payment_status' = 'paid'
                """
            ).fetchone()
        return int(row[0]) if row else 0


@contextlib.contextmanager
def djstripe(stub: Stub) -> Iterator[Peer]:
    """It, running, with the shop's webhook secret. Raises Problem where it cannot be installed."""
    python = str(_python())
    endpoint = str(uuid.uuid4())
    with database(os.environ["DATABASE_URL"], f"djstripe_bench_{os.getpid()}") as url:
        env = {
            "DATABASE_URL": url,
            "STRIPE_API_BASE": stub.origin,
            "STRIPE_SECRET_KEY": API_KEY,
            "DJANGO_SETTINGS_MODULE": "bench.djstripe.settings",
        }
        prepare = [python, "-m", "bench.djstripe.prepare", endpoint]
        subprocess.run(prepare, cwd=ROOT, env=os.environ | env, check=True)
        with server("bench.djstripe.asgi:application", python=python, **env) as running:
            yield Peer(running, f"/stripe/webhook/{endpoint}/", url)


def _python() -> Path:
    """The interpreter of its virtual environment, which is kept between runs."""
    venv = Path(given("DATA_DIR") or ROOT / ".data").absolute() / "bench-djstripe"
    stamp = venv / "installed"
    pins = f"{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()} {sys.version} {venv}"
    if not stamp.exists() or stamp.read_text() != pins:
        progress("Installing dj-stripe …")
        shutil.rmtree(venv, ignore_errors=True)
        _install(venv)
        stamp.write_text(pins)
    return venv / "bin" / "python"


def _install(venv: Path) -> None:
    uv = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", ""), str(VENV / "bin")]))
    python = str(venv / "bin" / "python")
    steps = [[sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), str(venv)]]
    if uv:
        steps.append(
            [uv, "pip", "install", "--quiet", "--python", python, "--requirement", str(REQUIREMENTS)]
        )
    else:
        steps.append([python, "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)])
    for step in steps:
        if subprocess.run(step, cwd=ROOT, check=False).returncode:
            shutil.rmtree(venv, ignore_errors=True)
            raise Problem("dj-stripe could not be installed: see above.")
