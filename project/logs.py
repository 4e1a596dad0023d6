"""The log: one line for each thing that happened, for people's eyes and for Loki's or Elastic's.

    time=2026-11-23T14:59:17.123Z level=WARNING logger=shop.webhooks message="Webhook refused: …" request=…

logfmt (https://brandur.org/logfmt): `name=value`, quoted and escaped as JSON does it where it has to be. No
value can begin a line, or a field, of its own. docs/operations.md says which fields there are.
"""

import json
import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from daphne.access import AccessLogGenerator

from project.discreet import MASK, discreet
from shop import tracing

access = logging.getLogger("access")

LONGEST = 4_000
"""Characters of a value; of a traceback the last ones, where it happened."""
LONGEST_TRACEBACK = 8_000  # together under the 16 KiB at which Docker cuts a line in two
SEARCHED = 4
"""Times as much is searched for secrets; what comes beyond it is not looked at."""
SEAM = 500
"""Characters before that end are left out: half a secret does not look like one."""
QUIET = ("/healthz", "/readyz", "/metrics")
"""Asked for all day by machines; worth a line only if they fail."""

_client: ContextVar[str] = ContextVar("client", default="")
_BARE = re.compile(r"[\w./:@+%…-]+", re.ASCII)


class Formatter(logging.Formatter):
    """A record as one line of logfmt, without anybody's secrets."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": _first(record.getMessage()),
            **tracing.facts(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            fields["error"] = type(record.exc_info[1]).__name__
            fields["traceback"] = _last(self.formatException(record.exc_info))
        return logfmt(fields)


def _first(text: str) -> str:
    if len(text) > SEARCHED * LONGEST:
        return discreet(text[: SEARCHED * LONGEST])[:-SEAM][:LONGEST]
    return discreet(text)[:LONGEST]


def _last(text: str) -> str:
    """From the beginning of a line: a row of the database is known by how its line begins."""
    if len(text) > SEARCHED * LONGEST_TRACEBACK:
        text = text[-SEARCHED * LONGEST_TRACEBACK :].partition("\n")[2] or MASK
    return discreet(text)[-LONGEST_TRACEBACK:]


def logfmt(fields: Mapping[str, str]) -> str:
    return " ".join(f"{name}={_value(value)}" for name, value in fields.items())


def _value(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    # Whatever could end a line somewhere, steer a terminal or turn the reading direction.
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in _quoted(value))


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _escaped(letter: str) -> str:
    return json.dumps(letter)[1:-1]


def note_client(scope: Mapping[str, Any]) -> None:
    """Who called, for the access log alone: Daphne knows only our proxy, if there is one."""
    _client.set(str((scope.get("client") or [""])[0]))


def install() -> None:
    """Daphne writes its access log past `logging`, in the local time, with the whole query."""
    AccessLogGenerator.__call__ = _access


def _access(log: AccessLogGenerator, protocol: str, action: str, details: Mapping[str, Any]) -> None:
    """`details` has `client` ("address:port"), `path`, and of an answer `method`, `status`, `size` and
    `time_taken`, in seconds.
    """
    path = details["path"].partition("?")[0]  # the query is what people have typed
    fields = {"client": _client.get() or (details["client"] or "").rpartition(":")[0]}
    if protocol == "http":
        fields |= {"status": str(details["status"]), "ms": f"{1000 * details['time_taken']:.0f}"}
        fields["bytes"] = str(details["size"])
        is_quiet = path in QUIET and details["status"] < 400
        level = logging.DEBUG if is_quiet else logging.INFO
        access.log(level, "%s %s", details["method"], path, extra={"fields": fields})
    elif action not in ("connecting", "disconnected"):  # of the latter a page says more itself
        access.info("Socket %s %s", action, path, extra={"fields": fields})
