"""Which parameters exist is read from the SDK's typed params classes, so it moves when the SDK moves."""

import re
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from stripe import RequestOptions
from typing_extensions import is_typeddict

from sandbox.stripe.api.errors import invalid, missing_parameter, not_supported, unknown_parameter
from sandbox.stripe.api.params import Raw
from sandbox.stripe.store import Json

# What we implement of it: a tree of names. None takes every value, a tuple only these.
Supported: TypeAlias = "Mapping[str, Supported | tuple[object, ...] | None]"

PAGING: Supported = {"ending_before": None, "expand": None, "limit": None, "starting_after": None}
RANGE: Supported = {"gt": None, "gte": None, "lt": None, "lte": None}

_OPTIONS = frozenset(RequestOptions.__annotations__)
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_KEYS, _KEY_LENGTH, _VALUE_LENGTH = 50, 40, 500


def read(raw: dict[str, Raw], params: type, supported: Supported) -> Json:
    """Typed values of a request; raises Stripe's parameter errors, with the parameter's full name."""
    return _object(raw, params, supported, "")


def _object(raw: dict[str, Raw], params: type, supported: Supported, path: str) -> Json:
    known = _fields(params)
    for name in raw:
        if name not in known:
            raise unknown_parameter(_join(path, name))
        if name not in supported:
            raise not_supported(_join(path, name))
    for name in params.__dict__["__required_keys__"] - _OPTIONS:
        if name not in raw:
            raise missing_parameter(_join(path, name))
    return {
        name: _value(value, known[name], supported[name], _join(path, name)) for name, value in raw.items()
    }


def _value(raw: Raw, kind: Any, supported: Any, path: str) -> Any:
    members = _members(kind)
    if isinstance(raw, dict):
        return _nested(raw, members, supported, path)
    if raw == "" and "" not in _choices(members):
        raise invalid(
            f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a"
            f" parameter; however '{path}' cannot be unset. You should remove '{path}' from your request or"
            " supply a non-empty value.",
            path,
            "parameter_invalid_empty",
        )
    value = _scalar(raw, members, path)
    if isinstance(supported, tuple) and value not in supported:
        raise not_supported(path, " or ".join(f"{path}={_shown(one)}" for one in supported))
    return value


def _nested(raw: dict[str, Raw], members: list[Any], supported: Any, path: str) -> Any:
    for member in members:
        if is_typeddict(member):
            return _object(raw, member, supported, path)
        if get_origin(member) is list:
            element = get_args(member)[0]
            return [
                _value(raw[index], element, supported, _join(path, index)) for index in _indexes(raw, path)
            ]
        if get_origin(member) is dict:
            return _metadata(raw, path)
    raise invalid(f"Invalid string: {path} is given as an object.", path)


def _scalar(text: str, members: list[Any], path: str) -> str | int | bool:
    if bool in members:
        if text not in ("true", "false"):
            raise invalid(f"Invalid boolean: {text[:100]}", path)
        return text == "true"
    if int in members:
        if not _INTEGER.fullmatch(text):
            raise invalid(f"Invalid integer: {text[:100]}", path, "parameter_invalid_integer")
        return int(text)
    choices = _choices(members)
    named = [choice for choice in choices if choice]
    if text in choices or (str in members and not named):
        return text
    if named:
        raise invalid(f"Invalid {path}: must be one of {_listed(named)}", path)
    raise invalid("Invalid array" if any(get_origin(m) is list for m in members) else "Invalid object", path)


def _choices(members: list[Any]) -> list[Any]:
    return [choice for member in members if get_origin(member) is Literal for choice in get_args(member)]


def _metadata(raw: dict[str, Raw], path: str) -> dict[str, str]:
    """https://docs.stripe.com/api/metadata has the limits; `objects.metadata` knows what is unset."""
    if len(raw) > _KEYS:
        raise invalid(f"Metadata can have up to {_KEYS} keys; you passed {len(raw)}.", path)
    values: dict[str, str] = {}
    for key, value in raw.items():
        if isinstance(value, dict) or len(key) > _KEY_LENGTH or len(value) > _VALUE_LENGTH:
            raise invalid(
                f"Metadata keys can have up to {_KEY_LENGTH} characters and values, which must be strings,"
                f" up to {_VALUE_LENGTH}.",
                _join(path, key[:_KEY_LENGTH]),
            )
        values[key] = value
    return values


def _indexes(raw: dict[str, Raw], path: str) -> list[str]:
    if not all(index.isascii() and index.isdigit() and len(index) < 6 for index in raw):
        raise invalid("Invalid array", path)
    return sorted(raw, key=int)


@cache
def _fields(params: type) -> dict[str, Any]:
    # The SDK imports these two names for type checkers only.
    hints = get_type_hints(params, localns={"StripeContext": object, "Mapping": Mapping})
    return {name: hint for name, hint in hints.items() if name not in _OPTIONS}


def _members(kind: Any) -> list[Any]:
    if get_origin(kind) not in (Union, UnionType):
        return [kind]
    return [inner for member in get_args(kind) if member is not NoneType for inner in _members(member)]


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])}, or {names[-1]}" if len(names) > 2 else " or ".join(names)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
