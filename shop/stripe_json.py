"""Reading what Stripe's JSON says. Nothing here raises: what is missing or odd reads as empty."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID


def text(value: object) -> str:
    """A string that PostgreSQL can store: JSON may carry NUL and lone surrogates."""
    return value if isinstance(value, str) and value.isprintable() else ""


def whole(value: object) -> int:
    """An amount in minor units or a time; -1, which neither can be, if it is none that fits a column."""
    return value if type(value) is int and 0 <= value < 2**53 else -1


def uuid(value: object) -> UUID | None:
    try:
        return UUID(text(value))
    except ValueError:
        return None


def inner(value: object) -> Mapping[str, Any]:
    """An object inside of an object."""
    return value if isinstance(value, Mapping) else {}


def id_of(value: object) -> str:
    """Of another object: Stripe gives its id, or all of it to who asks for that (`expand`)."""
    return text(inner(value).get("id") if isinstance(value, Mapping) else value)
