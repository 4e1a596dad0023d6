import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.stripe.tables import MIGRATIONS

Json = dict[str, Any]


class StateError(Exception):
    """The state on disk cannot be used; the text is one sentence for whoever started us."""


class Store:
    """Everything that outlives the process: one SQLite file.

    All work happens in the event loop's thread and no transaction holds an `await`, so transactions of one
    process follow each other; BEGIN IMMEDIATE keeps that true should a second process open the file.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / "state.sqlite3"
        self.db = sqlite3.connect(path, isolation_level=None, timeout=5)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing with NORMAL; only a power cut may take the last moments.
        self.db.execute("PRAGMA synchronous = NORMAL")
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StateError(
                f"{path} was written by another version of the local Stripe: delete it to start anew."
            )
        for number in range(version, len(MIGRATIONS)):
            script = f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
            self.db.executescript(script)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Joins the transaction that is under way, if one is: verbs call verbs, and all or nothing holds."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def insert(self, obj: Json, parent: str | None = None, private: Json | None = None) -> Json:
        """`private` is what we must remember but Stripe would not show on the object."""
        self.db.execute(
            "INSERT INTO objects (id, kind, parent, created, body, private) VALUES (?, ?, ?, ?, ?, ?)",
            (
                obj["id"],
                obj["object"],
                parent,
                obj.get("created", 0),
                json.dumps(obj),
                json.dumps(private or {}),
            ),
        )
        return obj

    def save(self, obj: Json) -> None:
        self.db.execute("UPDATE objects SET body = ? WHERE id = ?", (json.dumps(obj), obj["id"]))

    def find(self, kind: str, object_id: str) -> Json | None:
        found = self.db.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (object_id, kind))
        row = found.fetchone()
        return None if row is None else _json(row["body"])

    def get(self, kind: str, object_id: str) -> Json:
        """For what must be there: raises LookupError, which is a bug of ours, when it is not."""
        obj = self.find(kind, object_id)
        if obj is None:
            raise LookupError(f"{kind} {object_id}")
        return obj

    def private(self, object_id: str) -> Json:
        row = self.db.execute("SELECT private FROM objects WHERE id = ?", (object_id,)).fetchone()
        return _json(row["private"])

    def parent(self, object_id: str) -> str:
        row = self.db.execute("SELECT parent FROM objects WHERE id = ?", (object_id,)).fetchone()
        return str(row["parent"])

    def children(self, parent: str, kind: str) -> list[Json]:
        """Oldest first."""
        rows = self.db.execute(
            "SELECT body FROM objects WHERE parent = ? AND kind = ? ORDER BY seq", (parent, kind)
        )
        return [_json(row["body"]) for row in rows]

    def sessions_past(self, moment: float) -> list[str]:
        """Ids of the open sessions whose time is over."""
        rows = self.db.execute(
            "SELECT id FROM objects"
            " WHERE kind = 'checkout.session' AND json_extract(body, '$.status') = 'open'"
            " AND json_extract(body, '$.expires_at') <= ?",
            (moment,),
        )
        return [row["id"] for row in rows]


def _json(text: str) -> Json:
    value: Json = json.loads(text)
    return value
