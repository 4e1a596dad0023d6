"""Logs that keep to themselves who may open what, and how people are reached.

The link in an e-mail is a key for as long as it lasts, to an order or to an account; and a traceback may
quote a row, a job or a mail server.
"""

import logging
import re
from typing import Any

from daphne.access import AccessLogGenerator

TOKEN = re.compile(r"(/orders/link/|/accounts/reset/[^/\s]+/)[^/\s\"']+")
ADDRESS = re.compile(r"[^\s\"'<>()\[\]{}=:,;@]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)+")

_write_entry = AccessLogGenerator.write_entry


def discreet(text: str) -> str:
    return ADDRESS.sub("…@…", TOKEN.sub(r"\1…", text))


class Formatter(logging.Formatter):
    """For every line of ours, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return discreet(super().format(record))


def install() -> None:
    """Daphne's access log goes its own way."""
    AccessLogGenerator.write_entry = _write_discreetly


def _write_discreetly(log: AccessLogGenerator, *, request: str, **entry: Any) -> None:
    _write_entry(log, request=discreet(request), **entry)
