"""The tables of the state on disk. A change of them is one more script at the end, never a change of one."""

_FIRST = """
CREATE TABLE objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    parent TEXT,
    created INTEGER NOT NULL,
    body TEXT NOT NULL,
    private TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX objects_by_kind ON objects (kind, seq);
CREATE INDEX objects_by_parent ON objects (parent, kind, seq);
CREATE INDEX open_sessions ON objects (json_extract(body, '$.expires_at'))
    WHERE kind = 'checkout.session' AND json_extract(body, '$.status') = 'open';
CREATE TABLE deliveries (
    event_id TEXT NOT NULL,
    url TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL,
    delivered REAL,
    outcome TEXT,
    PRIMARY KEY (event_id, url)
);
CREATE INDEX due_deliveries ON deliveries (url, due) WHERE due IS NOT NULL;
CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (scope, key)
);
"""

_WHAT_COMES_LATER = """
CREATE TABLE later (
    object_id TEXT PRIMARY KEY,
    verb TEXT NOT NULL,
    verdict TEXT NOT NULL,
    due REAL NOT NULL
);
CREATE INDEX later_by_due ON later (due);
CREATE INDEX objects_by_payment ON objects (kind, json_extract(body, '$.payment_intent'), seq)
    WHERE json_extract(body, '$.payment_intent') IS NOT NULL;
"""

MIGRATIONS = (_FIRST, _WHAT_COMES_LATER)
