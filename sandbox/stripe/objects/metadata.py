from typing import Any

from sandbox.stripe.store import Json


def merged(before: Json, given: Any) -> Json:
    """An empty value unsets its key, and "" instead of all keys unsets all: docs.stripe.com/api/metadata."""
    both = {**before, **(given or {})}
    return {} if given == "" else {key: value for key, value in both.items() if value != ""}
