"""Stripe's list envelopes and cursors: https://docs.stripe.com/api/pagination"""

import json
import sqlite3
import time
from typing import Any

from sandbox.stripe.api.errors import invalid, no_such
from sandbox.stripe.store import Json, Store

EVENT_DAYS = 30

_SESSIONS = """
    SELECT seq, body FROM objects WHERE kind = 'checkout.session'
    AND (:payment_intent IS NULL OR json_extract(body, '$.payment_intent') = :payment_intent)
    AND (:status IS NULL OR json_extract(body, '$.status') = :status)
    AND (:email IS NULL OR json_extract(body, '$.customer_details.email') = :email)
    AND created BETWEEN :oldest AND :newest AND seq > :after AND seq < :before
"""
_EVENTS = """
    SELECT seq, body FROM objects WHERE kind = 'event'
    AND (:types IS NULL OR EXISTS (
        SELECT 1 FROM json_each(:types) AS wanted WHERE json_extract(body, '$.type') GLOB wanted.value))
    AND (:delivered IS NULL OR :delivered = NOT EXISTS (
        SELECT 1 FROM deliveries WHERE event_id = objects.id AND delivered IS NULL))
    AND created BETWEEN :oldest AND :newest AND seq > :after AND seq < :before
"""
_LINE_ITEMS = """
    SELECT -seq AS seq, body FROM objects WHERE kind = 'item' AND parent = :parent
    AND -seq > :after AND -seq < :before
"""
_OBJECTS = "SELECT seq, body FROM objects WHERE kind = :kind"
_BY_CHARGE = " AND json_extract(body, '$.charge') = :charge"
_BY_PAYMENT = " AND json_extract(body, '$.payment_intent') = :payment_intent"
_WINDOW = " AND created BETWEEN :oldest AND :newest AND seq > :after AND seq < :before"
_FAR = 2**62


def sessions(store: Store, params: Json) -> Json:
    filters = {
        "payment_intent": params.get("payment_intent"),
        "status": params.get("status"),
        "email": params.get("customer_details", {}).get("email"),
        **_created(params.get("created")),
    }
    return _page(store, _SESSIONS, filters, params, "checkout.session", "/v1/checkout/sessions")


def events(store: Store, params: Json) -> Json:
    """Thirty days back, as Stripe's."""
    types = [params["type"]] if "type" in params else params.get("types")
    window = _created(params.get("created"))
    window["oldest"] = max(window["oldest"], int(time.time()) - EVENT_DAYS * 86400)
    filters = {
        "types": None if types is None else json.dumps(types),
        "delivered": params.get("delivery_success"),
        **window,
    }
    return _page(store, _EVENTS, filters, params, "event", "/v1/events")


def objects(store: Store, kind: str, params: Json, url: str) -> Json:
    """Those of a kind, filtered by `charge`, `payment_intent` and `created`."""
    # Written together and not with `IS NULL OR`, so that the index on payments serves.
    sql = _OBJECTS + (_BY_CHARGE if "charge" in params else "")
    sql += (_BY_PAYMENT if "payment_intent" in params else "") + _WINDOW
    filters = {"kind": kind, "charge": params.get("charge"), "payment_intent": params.get("payment_intent")}
    return _page(store, sql, {**filters, **_created(params.get("created"))}, params, kind, url)


def refunds_of(store: Store, charge_id: str) -> Json:
    """The latest ten, as a charge shows them on request."""
    return objects(store, "refund", {"charge": charge_id}, f"/v1/charges/{charge_id}/refunds")


def line_items(store: Store, session_id: str, params: Json) -> Json:
    """In the order of the cart, unlike every other list; its rows are counted downwards for that."""
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return _page(store, _LINE_ITEMS, {"parent": session_id}, params, "item", url)


def _page(store: Store, sql: str, filters: Json, params: Json, kind: str, url: str) -> Json:
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise invalid(
            "This value must be between 1 and 100 (inclusive).", "limit", "parameter_invalid_integer"
        )
    sign = -1 if kind == "item" else 1
    before = _cursor(store, params, "starting_after", kind, sign, _FAR)
    after = _cursor(store, params, "ending_before", kind, sign, -_FAR)
    backwards = "ending_before" in params
    order = " ORDER BY 1 ASC LIMIT :limit" if backwards else " ORDER BY 1 DESC LIMIT :limit"
    values = {**filters, "after": after, "before": before, "limit": limit + 1}
    rows: list[sqlite3.Row] = store.db.execute(sql + order, values).fetchall()
    page = rows[:limit][::-1] if backwards else rows[:limit]
    return {
        "object": "list",
        "data": [json.loads(row["body"]) for row in page],
        "has_more": len(rows) > limit,
        "url": url,
    }


def _cursor(store: Store, params: Json, name: str, kind: str, sign: int, default: int) -> int:
    if name not in params:
        return default
    row = store.db.execute(
        "SELECT seq FROM objects WHERE id = ? AND kind = ?", (params[name], kind)
    ).fetchone()
    if row is None:
        raise no_such(kind, params[name], name, status=400)
    return sign * int(row["seq"])


def _created(given: Any) -> dict[str, int]:
    """The inclusive window of `created`, which is a second or a range of them."""
    if given is None:
        given = {}
    if isinstance(given, int):
        given = {"gte": given, "lte": given}
    return {
        "oldest": max(given.get("gte", 0), given.get("gt", -1) + 1),
        "newest": min(given.get("lte", _FAR), given.get("lt", _FAR) - 1),
    }
