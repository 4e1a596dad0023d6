"""What is still to be delivered, and what came of it: the rows of `deliveries`."""

import time
from dataclasses import dataclass

from sandbox.stripe.store import Json, Store

# Stripe tries for three days: https://docs.stripe.com/webhooks#retries
KEPT_TRYING_SECONDS = 3 * 86400


@dataclass(frozen=True)
class Due:
    event_id: str
    moment: float


def open_deliveries(store: Store, event_id: str, urls: list[str]) -> None:
    store.db.executemany(
        "INSERT INTO deliveries (event_id, url, due) VALUES (?, ?, ?)",
        [(event_id, url, time.time()) for url in urls],
    )


def due(store: Store, url: str, limit: int) -> list[Due]:
    """The next ones for an endpoint, soonest first, those of the future included."""
    rows = store.db.execute(
        "SELECT event_id, due FROM deliveries WHERE url = ? AND due IS NOT NULL ORDER BY due LIMIT ?",
        (url, limit),
    )
    return [Due(row["event_id"], row["due"]) for row in rows]


def attempts(store: Store, event_id: str, url: str) -> int:
    row = store.db.execute(
        "SELECT attempts FROM deliveries WHERE event_id = ? AND url = ?", (event_id, url)
    ).fetchone()
    return int(row["attempts"])


def settle(store: Store, event_id: str, url: str, outcome: str) -> None:
    """The endpoint answered 2xx: no more attempts."""
    store.db.execute(
        "UPDATE deliveries SET attempts = attempts + 1, delivered = ?, due = NULL, outcome = ?"
        " WHERE event_id = ? AND url = ?",
        (time.time(), outcome, event_id, url),
    )


def postpone(store: Store, event_id: str, url: str, outcome: str, gap: float) -> None:
    """Try again in `gap` seconds, unless the event is three days old by now or was taken before."""
    now = time.time()
    store.db.execute(
        "UPDATE deliveries SET attempts = attempts + 1, outcome = ?, due ="
        " (SELECT CASE WHEN created > ? AND delivered IS NULL THEN ? END FROM objects WHERE id = event_id)"
        " WHERE event_id = ? AND url = ?",
        (outcome, now - KEPT_TRYING_SECONDS, now + gap, event_id, url),
    )


def send_again(store: Store, event_id: str, urls: list[str]) -> None:
    """Now, whatever came of it before."""
    store.db.executemany(
        "INSERT INTO deliveries (event_id, url, due) VALUES (?, ?, ?)"
        " ON CONFLICT (event_id, url) DO UPDATE SET due = excluded.due",
        [(event_id, url, time.time()) for url in urls],
    )


def of_event(store: Store, event_id: str) -> list[Json]:
    """What came of each delivery: `url`, `attempts`, `outcome`, and the moments `delivered` and `due`."""
    rows = store.db.execute(
        "SELECT url, attempts, outcome, delivered, due FROM deliveries WHERE event_id = ? ORDER BY rowid",
        (event_id,),
    )
    return [dict(row) for row in rows]


def pending(store: Store, event_id: str) -> int:
    """How many endpoints have not yet answered with 2xx."""
    row = store.db.execute(
        "SELECT count(*) FROM deliveries WHERE event_id = ? AND delivered IS NULL", (event_id,)
    ).fetchone()
    return int(row[0])


def undelivered(store: Store, url: str) -> int:
    """How many events an endpoint has not yet answered with 2xx."""
    row = store.db.execute(
        "SELECT count(*) FROM deliveries WHERE url = ? AND delivered IS NULL", (url,)
    ).fetchone()
    return int(row[0])


def untried(store: Store, event_id: str) -> int:
    """How many of the endpoints that are switched on have not been heard at all."""
    row = store.db.execute(
        "SELECT count(*) FROM deliveries WHERE event_id = ? AND attempts = 0 AND url IN"
        " (SELECT json_extract(body, '$.url') FROM objects"
        " WHERE kind = 'webhook_endpoint' AND json_extract(body, '$.status') = 'enabled')",
        (event_id,),
    ).fetchone()
    return int(row[0])
