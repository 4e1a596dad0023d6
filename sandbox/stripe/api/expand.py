"""https://docs.stripe.com/api/expanding_objects"""

from collections.abc import Callable

from sandbox.stripe import listing
from sandbox.stripe.api.errors import invalid
from sandbox.stripe.store import Json, Store

MAX_DEPTH = 4

# Which field of which object holds an id, and what it is the id of.
KINDS = {
    ("checkout.session", "payment_intent"): "payment_intent",
    ("payment_intent", "latest_charge"): "charge",
    ("payment_intent", "payment_method"): "payment_method",
    ("charge", "payment_intent"): "payment_intent",
    ("refund", "charge"): "charge",
    ("refund", "payment_intent"): "payment_intent",
    ("refund", "payment_method"): "payment_method",
    ("dispute", "charge"): "charge",
    ("dispute", "payment_intent"): "payment_intent",
    ("price", "product"): "product",
}


def expand(store: Store, body: Json, paths: list[str]) -> Json:
    """The body with ids replaced by objects; raises Stripe's error for what cannot be expanded."""
    for path in paths:
        names = path.split(".")
        if len(names) > MAX_DEPTH + (names[0] == "data"):
            raise invalid(f"You cannot expand more than {MAX_DEPTH} levels of a property: {path}", "expand")
        _walk(body, names, path, _fetch(store))
    return body


def _walk(obj: Json, names: list[str], path: str, fetch: Callable[[Json, str], object]) -> None:
    name, *rest = names
    if obj.get("object") == "list" and name == "data":
        for element in obj["data"]:
            if rest:
                _walk(element, rest, path, fetch)
        return
    obj[name] = fetch(obj, name)
    if rest and isinstance(obj[name], dict):
        _walk(obj[name], rest, path, fetch)


def _fetch(store: Store) -> Callable[[Json, str], object]:
    def fetch(obj: Json, name: str) -> object:
        place = (str(obj.get("object")), name)
        value = obj.get(name)
        if isinstance(value, dict) or (value is None and name in obj):
            return value
        if place == ("checkout.session", "line_items"):
            return listing.line_items(store, obj["id"], {})
        if place == ("charge", "refunds"):
            return listing.refunds_of(store, obj["id"])
        if place not in KINDS:
            raise invalid(f"This property cannot be expanded ({name}).", "expand")
        return store.get(KINDS[place], str(value))

    return fetch
