"""Reads the log as Loki does: a line that is not logfmt, to the last letter, is an error."""

import json
import re

_FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)')

Line = dict[str, str]


def parse(line: str) -> Line:
    """Its fields. Raises AssertionError for what is none, and for a field that is there twice."""
    assert line.isprintable(), f"Ends a line or steers a terminal somewhere: {line!r}"
    fields: Line = {}
    at = 0
    while at < len(line):
        found = _FIELD.match(line, at)
        assert found, f"Not logfmt from here on: {line[at:]!r}"
        name, value = found.groups()
        assert name not in fields, f"{name} twice: {line!r}"
        fields[name] = json.loads(value) if value.startswith('"') else value
        at = found.end()
    return fields


def lines(text: str) -> list[Line]:
    return [parse(line) for line in text.split("\n") if line]
