"""What will be decided some seconds from now: rows with a due time, so that a restart forgets nothing."""

import time
from dataclasses import dataclass

from sandbox.stripe.account import Account


@dataclass(frozen=True)
class Due:
    object_id: str
    verb: str
    verdict: str


def decide(account: Account, object_id: str, verb: str, verdict: str) -> None:
    """In the caller's transaction; `clock` calls the verb. An object waits for one thing at a time."""
    account.store.db.execute(
        "INSERT OR REPLACE INTO later VALUES (?, ?, ?, ?)",
        (object_id, verb, verdict, time.time() + account.config.debit_seconds),
    )


def forget(account: Account, object_id: str) -> None:
    """It is decided, or need not be any more."""
    account.store.db.execute("DELETE FROM later WHERE object_id = ?", (object_id,))


def due(account: Account) -> list[Due]:
    """In the order in which their times came."""
    rows = account.store.db.execute(
        "SELECT object_id, verb, verdict FROM later WHERE due <= ? ORDER BY due, rowid", (time.time(),)
    )
    return [Due(row["object_id"], row["verb"], row["verdict"]) for row in rows]
