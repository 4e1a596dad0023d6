"""What nobody may learn from a log: who may open what, how people are reached, how the shop is opened.

The link in an e-mail is a key for as long as it lasts, to an order or to an account; a traceback may quote a
row, a job, an address with a password in it, or what a person has typed.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

TOKEN = re.compile(r"(/orders/link/|/accounts/reset/[^/\s]+/)[^/\s\"']+")
ADDRESS = re.compile(r"[^\s\"'<>()\[\]{}=:,;@]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]+)+")
MASK = "…"
# A stranger may have sent what is searched, and meanwhile nobody is served: the cost of each pattern must
# grow with the text and no faster. So none begins with a repetition without an end.

# By their look, wherever they come from: Stripe's keys and secrets, our cookies, tickets and tokens.
_KEYS = re.compile(r"\b((?:sk|rk)_(?:live|test)_|whsec_|pi_\w+_secret_|cs_\w+_secret_)[\w*]+")
_SHOWN = re.compile(
    r"\b((?:ticket|sessionid|csrftoken|csrfmiddlewaretoken|guest|password\d?|cvc)\b[\"']?\s*[=:]\s*[\"']?"
    r"|(?:Bearer|Basic|Token)\s+)[^\s\"'&;,<>]+"
)
_IN_URL = re.compile(r"(://[^\s/:@]*:)[^\s/@]+@")
# PostgreSQL says there which row it was, column by column.
_ROW = re.compile(r"^([ \t]*(?:DETAIL|CONTEXT):[ \t]*).*$", re.MULTILINE)
_CARD = re.compile(r"(?<![\w.-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w-])")
SHORTEST_SECRET = 12
"""Characters. What is shorter is a word in a sandbox, and would be masked wherever that word stands."""


def discreet(text: str) -> str:
    """The same text, with a mask for each of these."""
    for secret in _secrets():
        text = text.replace(secret, MASK)
    text = _IN_URL.sub(rf"\1{MASK}@", text)
    text = _KEYS.sub(rf"\1{MASK}", TOKEN.sub(rf"\1{MASK}", text))
    text = _SHOWN.sub(rf"\1{MASK}", _ROW.sub(rf"\1{MASK}", text))
    return _CARD.sub(_card, ADDRESS.sub(f"{MASK}@{MASK}", text))


def _card(found: re.Match[str]) -> str:
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return MASK if (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 else found[0]


@cache
def _secrets() -> tuple[str, ...]:
    """The shop's own, as its settings have them; the longest first, one may contain another."""
    known = {secret for secret in _configured() if len(secret) >= SHORTEST_SECRET}
    return tuple(sorted(known, key=len, reverse=True))


def _configured() -> Iterator[str]:
    yield from (settings.SECRET_KEY, settings.STRIPE_SECRET_KEY, settings.EMAIL_HOST_PASSWORD or "")
    yield from settings.STRIPE_WEBHOOK_SECRETS
    yield from (str(database.get("PASSWORD") or "") for database in settings.DATABASES.values())
    yield from _passwords(settings.CHANNEL_LAYERS)
    yield from _passwords(settings.CACHES)


def _passwords(setting: Any) -> Iterator[str]:
    """Of every address that a setting holds somewhere, as it is written there and as it is meant."""
    if isinstance(setting, dict):
        setting = list(setting.values())
    if isinstance(setting, list | tuple):
        for part in setting:
            yield from _passwords(part)
    elif isinstance(setting, str) and "://" in setting and (password := urlsplit(setting).password):
        yield from (password, unquote(password))
