"""The webhook endpoints, on or off, and what signs for them: https://docs.stripe.com/api/webhook_endpoints

The environment names them; what is done to them afterwards is kept here and outlives the process.
"""

import json
import time
from collections.abc import Iterable

from sandbox.stripe.config import Endpoint
from sandbox.stripe.ids import new_id
from sandbox.stripe.store import Json, Store

KIND = "webhook_endpoint"
# https://docs.stripe.com/webhooks#roll-endpoint-secrets
OVERLAP_SECONDS = 24 * 3600


def install(store: Store, given: Iterable[Endpoint]) -> None:
    """At each start. An endpoint is as it was left, unless the environment now names other secrets for it."""
    named = {endpoint.url: list(endpoint.secrets) for endpoint in given}
    with store.transaction():
        for endpoint in every(store):
            values = named.pop(endpoint["url"], None)
            if values is None:
                store.db.execute("DELETE FROM objects WHERE id = ?", (endpoint["id"],))
            elif values != store.private(endpoint["id"])["given"]:
                _keep(store, endpoint["id"], _private(values))
        for url, values in named.items():
            store.insert(_new(url), private=_private(values))


def every(store: Store) -> list[Json]:
    """As the environment lists them, without their secrets."""
    rows = store.db.execute("SELECT body FROM objects WHERE kind = ? ORDER BY seq", (KIND,))
    return [json.loads(row["body"]) for row in rows]


def is_enabled(store: Store, url: str) -> bool:
    return any(one["url"] == url and one["status"] == "enabled" for one in every(store))


def switch(store: Store, endpoint: Json, status: str) -> None:
    """`status` is "enabled" or "disabled". Inside the caller's transaction."""
    store.save({**endpoint, "status": status})


def secrets(store: Store, endpoint_id: str) -> list[Json]:
    """Those that sign now, the newest first: `value`, and `until`, a moment or None for no end."""
    now = time.time()
    kept = store.private(endpoint_id)["secrets"]
    return [one for one in kept if one["until"] is None or one["until"] > now]


def signing(store: Store, url: str) -> list[str]:
    return [
        one["value"]
        for endpoint in every(store)
        if endpoint["url"] == url
        for one in secrets(store, endpoint["id"])
    ]


def roll_secret(store: Store, endpoint_id: str) -> None:
    """A new one signs, and those before it for 24 more hours at most. Inside the caller's transaction."""
    end = time.time() + OVERLAP_SECONDS
    old = [{**one, "until": min(one["until"] or end, end)} for one in secrets(store, endpoint_id)]
    new = {"value": new_id("whsec", 32), "until": None}
    _keep(store, endpoint_id, {**store.private(endpoint_id), "secrets": [new, *old]})


def expire_old_secrets(store: Store, endpoint_id: str) -> None:
    """From now on the newest signs alone. Inside the caller's transaction."""
    newest = secrets(store, endpoint_id)[:1]
    _keep(store, endpoint_id, {**store.private(endpoint_id), "secrets": newest})


def _new(url: str) -> Json:
    return {
        "id": new_id("we"),
        "object": KIND,
        "api_version": None,
        "application": None,
        "created": int(time.time()),
        "description": None,
        "enabled_events": ["*"],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }


def _private(given: list[str]) -> Json:
    """`given` is remembered, so that a start with the same environment undoes no roll."""
    return {"given": given, "secrets": [{"value": value, "until": None} for value in given]}


def _keep(store: Store, endpoint_id: str, private: Json) -> None:
    store.db.execute("UPDATE objects SET private = ? WHERE id = ?", (json.dumps(private), endpoint_id))
