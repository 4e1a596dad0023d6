"""What there is to see, as plain values: JSON is these, and the page shows them.

Amounts are in minor units, moments in seconds since 1970.
"""

import dataclasses
import json

from sandbox.stripe import endpoints, ledger
from sandbox.stripe.account import Account
from sandbox.stripe.chaos import Chaos
from sandbox.stripe.store import Json, Store

NEWEST = 20


def everything(account: Account, trouble: Chaos) -> Json:
    store = account.store
    return {
        "payments": [payment(store, charge) for charge in _newest(store, "charge")],
        "events": [event(store, one) for one in _newest(store, "event")],
        "endpoints": [endpoint(store, one) for one in endpoints.every(store)],
        "chaos": chaos(trouble),
    }


def payment(store: Store, charge: Json) -> Json:
    details = charge["payment_method_details"]
    method = details[details["type"]]
    refunds, disputes = (store.children(charge["id"], kind) for kind in ("refund", "dispute"))
    blocked = not charge["paid"] or not all(dispute["is_charge_refundable"] for dispute in disputes)
    return {
        "id": charge["id"],
        "created": charge["created"],
        "amount": charge["amount"],
        "amount_refunded": charge["amount_refunded"],
        "refundable": 0 if blocked else charge["amount_captured"] - charge["amount_refunded"],
        "currency": charge["currency"],
        "state": _state(charge),
        "failure": charge["failure_message"],
        "email": charge["billing_details"]["email"],
        "method": method.get("brand", details["type"]).replace("_", " "),
        "last4": method["last4"],
        "refunds": [_brief(refund) for refund in refunds],
        "disputes": [_brief(dispute) for dispute in disputes],
    }


def event(store: Store, event: Json) -> Json:
    return {
        "id": event["id"],
        "type": event["type"],
        "created": event["created"],
        "object": event["data"]["object"]["id"],
        "deliveries": ledger.of_event(store, event["id"]),
    }


def endpoint(store: Store, endpoint: Json) -> Json:
    """With its secrets: whoever may see this page is who puts them into the shop's environment."""
    return {
        "id": endpoint["id"],
        "url": endpoint["url"],
        "status": endpoint["status"],
        "secrets": endpoints.secrets(store, endpoint["id"]),
        "undelivered": ledger.undelivered(store, endpoint["url"]),
    }


def chaos(trouble: Chaos) -> Json:
    return dataclasses.asdict(trouble.rates)


def _state(charge: Json) -> str:
    if charge["refunded"]:
        return "refunded"
    return "partly refunded" if charge["amount_refunded"] else str(charge["status"])


def _brief(obj: Json) -> Json:
    return {name: obj[name] for name in ("id", "amount", "status", "reason")}


def _newest(store: Store, kind: str) -> list[Json]:
    rows = store.db.execute(
        "SELECT body FROM objects WHERE kind = ? ORDER BY seq DESC LIMIT ?", (kind, NEWEST)
    )
    return [json.loads(row["body"]) for row in rows]
