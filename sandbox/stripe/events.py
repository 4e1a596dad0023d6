import time
from dataclasses import dataclass

from stripe import api_version

from sandbox.stripe import ledger
from sandbox.stripe.account import Account
from sandbox.stripe.ids import new_id
from sandbox.stripe.store import Json, Store


@dataclass(frozen=True)
class Cause:
    """The API request behind an event; empty when the shopper or the clock is behind it."""

    request_id: str | None = None
    idempotency_key: str | None = None


AUTOMATIC = Cause()


def record(account: Account, kind: str, obj: Json, cause: Cause = AUTOMATIC) -> str:
    """Write the event and one delivery for each endpoint, in the caller's transaction; returns its id.

    The object goes in as it is now and never changes: https://docs.stripe.com/api/events/object
    """
    event: Json = {
        "id": new_id("evt"),
        "object": "event",
        "api_version": api_version,
        "created": int(time.time()),
        "data": {"object": obj},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": cause.request_id, "idempotency_key": cause.idempotency_key},
        "type": kind,
    }
    account.store.insert(event, parent=obj["id"])
    ledger.open_deliveries(
        account.store, event["id"], [endpoint.url for endpoint in account.config.endpoints]
    )
    return str(event["id"])


def shown(store: Store, event: Json) -> Json:
    """The event with its present number of deliveries still to be made."""
    return {**event, "pending_webhooks": ledger.pending(store, event["id"])}


def find(store: Store, event_id: str) -> Json | None:
    event = store.find("event", event_id)
    return None if event is None else shown(store, event)
