"""The form encoding of Stripe's v1 API: `line_items[0][price_data][currency]=usd`, `expand[]=customer`."""

import re
from typing import TypeAlias
from urllib.parse import parse_qsl

from sandbox.stripe.api.errors import invalid

Raw: TypeAlias = "str | dict[str, Raw]"

MAX_FIELDS = 5000
MAX_DEPTH = 8
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def decode(body: bytes) -> dict[str, Raw]:
    """Nested dictionaries; list positions stay keys until the schema says what is a list."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except (UnicodeDecodeError, ValueError):
        raise invalid("The request body is not valid form data in UTF-8, or has too many fields.") from None
    tree: dict[str, Raw] = {}
    for name, value in pairs:
        _put(tree, _parts(name), value, name)
    return tree


def _parts(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    parts = [match[1], *_PART.findall(match[2])] if match else []
    if not parts or len(parts) > MAX_DEPTH:
        raise invalid(f"Invalid parameter name: {name[:100]}")
    return parts


def _put(tree: dict[str, Raw], parts: list[str], value: str, name: str) -> None:
    *parents, last = parts
    for position, part in enumerate(parents):
        key = part or _open_slot(tree, parts[position + 1])
        branch = tree.setdefault(key, {})
        if isinstance(branch, str):
            raise invalid(f"Invalid parameter: {name[:100]} is given both as a value and as an object.")
        tree = branch
    tree[last or str(len(tree))] = value


def _open_slot(tree: dict[str, Raw], following: str) -> str:
    """`a[][x]=1&a[][y]=2` fills one element until a name comes back."""
    last = tree.get(str(len(tree) - 1))
    return str(len(tree) - 1) if isinstance(last, dict) and following not in last else str(len(tree))
