"""What is true: by the shop's database, in plain SQL, and by Stripe's own books."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

Json = dict[str, Any]


class Database:
    """The shop's, read by somebody who was told its tables and nothing else."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._orders: dict[str, Json] = {}
        self._read_until = "epoch"

    def rows(self, statement: str, *values: Any) -> list[Json]:
        with psycopg.connect(
            self._url, autocommit=True, row_factory=dict_row, connect_timeout=3
        ) as connection:
            return connection.execute(statement, values).fetchall()

    def do(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self._url, autocommit=True, connect_timeout=3) as connection:
            connection.execute(statement, values)

    def now_shown(self) -> "Shown":
        """As it is now. Of orders those are read that have changed, or may have just been committed."""
        [now] = self.rows("SELECT (now() - interval '1 minute')::text AS a_minute_ago")
        for order in self.rows(_CHANGED, self._read_until):
            self._orders[order["public_id"]] = order
        self._read_until = now["a_minute_ago"]
        products = self.rows("SELECT slug, version FROM shop_product")
        return Shown(self._orders, {product["slug"]: product["version"] for product in products})


@dataclass(frozen=True, slots=True)
class Shown:
    """What pages have to show: orders by public id, and products' versions by slug."""

    orders: dict[str, Json]
    products: dict[str, int]

    def of(self, address: str) -> set[str]:
        """The orders of the guest who gave this e-mail address when she paid."""
        guests = {order["guest_id"] for order in self.orders.values() if order["email"] == address}
        return {name for name, order in self.orders.items() if order["guest_id"] in guests}


@dataclass(frozen=True, slots=True)
class Stripe:
    """Stripe's books: what it took, what it gave back, what it had to tell."""

    sessions: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    """By the order that they are for."""
    intents: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    """By payment intent."""
    disputes: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    events: dict[str, Json] = field(default_factory=dict)
    undelivered: int = 0

    @classmethod
    def read(cls, data_dir: Path) -> "Stripe":
        books = cls(undelivered=undelivered(data_dir))
        for thing in _objects(data_dir):
            match thing["object"]:
                case "checkout.session":
                    books.sessions[thing["client_reference_id"]].append(thing)
                case "payment_intent":
                    books.intents[thing["id"]] = thing
                case "refund":
                    books.refunds[thing["payment_intent"]].append(thing)
                case "dispute":
                    books.disputes[thing["payment_intent"]].append(thing)
                case "event":
                    books.events[thing["id"]] = thing
        return books


_CHANGED = """
SELECT public_id::text, version, user_id, guest_id::text, email, payment_status
FROM shop_order WHERE updated_at >= %s::timestamptz
"""


def _objects(data_dir: Path) -> Iterable[Json]:
    with _opened(data_dir) as books:
        for (body,) in books.execute("SELECT body FROM objects ORDER BY seq"):
            yield json.loads(body)


def undelivered(data_dir: Path, but: Collection[str] = ()) -> int:
    """Deliveries that Stripe still has to make; without those of the events `but`."""
    with _opened(data_dir) as books:
        rows = books.execute("SELECT event_id FROM deliveries WHERE due IS NOT NULL")
        return sum(event_id not in but for (event_id,) in rows)


def newest_charges(data_dir: Path, most: int) -> list[str]:
    """Ids of payments that succeeded."""
    with _opened(data_dir) as books:
        rows = books.execute(
            "SELECT id FROM objects WHERE kind = 'charge' AND json_extract(body, '$.status') = 'succeeded'"
            " ORDER BY seq DESC LIMIT ?",
            (most,),
        )
        return [row[0] for row in rows]


def _opened(data_dir: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{data_dir / 'stripe' / 'state.sqlite3'}?mode=ro", uri=True, timeout=10)
