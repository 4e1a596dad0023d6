"""Secrets that a first start makes and every later one finds again."""

import os
import secrets
from pathlib import Path

from sandbox.accounts import COLLEAGUES, password_variable

MADE: dict[str, str] = {
    "SECRET_KEY": "",
    "STRIPE_SECRET_KEY": "sk_test_",
    "STRIPE_WEBHOOK_SECRET": "whsec_",
    "STAFF_PASSWORD": "",
    **{password_variable(username): "" for username in COLLEAGUES},
}


def kept_secrets(path: Path) -> dict[str, str]:
    """The secrets in the file `path`, made as needed; readable by its owner only."""
    kept = read(path)
    missing = MADE.keys() - kept.keys()
    if missing:
        made = {name: new_secret(name) for name in MADE if name in missing}
        kept |= made
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            file.writelines(f"{name}={value}\n" for name, value in kept.items())
        draft.rename(path)
    return kept


def read(path: Path) -> dict[str, str]:
    """Those that there are."""
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


def new_secret(name: str) -> str:
    length = 12 if name.endswith("_PASSWORD") else 40  # people type the one
    return MADE[name] + secrets.token_hex(length // 2) if MADE[name] else secrets.token_urlsafe(length)
