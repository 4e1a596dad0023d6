"""Idempotency keys as Stripe keeps them: https://docs.stripe.com/api/idempotent_requests"""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.stripe.api.errors import StripeError, invalid
from sandbox.stripe.api.params import Raw
from sandbox.stripe.store import Store

KEPT_SECONDS = 24 * 3600
MAX_LENGTH = 255
_ONCE, _FIRST = "Keys for idempotent requests can only be used", "they were first used"


@dataclass(frozen=True)
class Answer:
    """What was said, to the byte. `original` is the request that it was first said to."""

    status: int
    body: str
    original: str


@dataclass(frozen=True)
class Attempt:
    """One POST that carries a key. The API key is kept as a hash only: state on disk holds no secrets."""

    scope: str
    key: str
    endpoint: str
    fingerprint: str

    @classmethod
    def of(cls, api_key: str, key: str, path: str, raw: dict[str, Raw]) -> "Attempt":
        said = json.dumps(raw, sort_keys=True).encode()
        return cls(_hash(api_key.encode()), key, path, _hash(said))


class Claims:
    """The keys that are in use at this moment. In memory: a process that dies lets go of them."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()

    @contextmanager
    def hold(self, api_key: str, key: str) -> Iterator[None]:
        """Raises 409 while another request holds the key, which it does from its headers on."""
        if len(key) > MAX_LENGTH:
            raise invalid(f"Idempotency keys can have up to {MAX_LENGTH} characters.")
        claim = (api_key, key)
        if claim in self._held:
            raise StripeError(
                409,
                "invalid_request_error",
                "There is currently another in-progress request using this Idempotent Key (that probably"
                f" means you submitted twice, and the other request is still going through): {key}."
                " Please try again later.",
                "idempotency_key_in_use",
            )
        self._held.add(claim)
        try:
            yield
        finally:
            self._held.discard(claim)


def find(store: Store, attempt: Attempt) -> Answer | None:
    """The stored answer; raises a 400 idempotency_error when the key was used for something else."""
    row = store.db.execute(
        "SELECT * FROM idempotency WHERE scope = ? AND key = ? AND created > ?",
        (attempt.scope, attempt.key, time.time() - KEPT_SECONDS),
    ).fetchone()
    if row is None:
        return None
    hint = f" Try using a key other than '{attempt.key}' if you meant to execute a different request."
    if row["endpoint"] != attempt.endpoint:
        both = f"('{attempt.endpoint}' vs '{row['endpoint']}')"
        raise StripeError(
            400, "idempotency_error", f"{_ONCE} for the same endpoint {_FIRST} for {both}.{hint}"
        )
    if row["fingerprint"] != attempt.fingerprint:
        raise StripeError(400, "idempotency_error", f"{_ONCE} with the same parameters {_FIRST} with.{hint}")
    return Answer(row["status"], row["body"], row["request_id"])


def keep(store: Store, attempt: Attempt, answer: Answer) -> None:
    """In the transaction of the work itself, so that neither is there without the other."""
    now = time.time()
    store.db.execute("DELETE FROM idempotency WHERE created <= ?", (now - KEPT_SECONDS,))
    store.db.execute(
        "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            attempt.scope,
            attempt.key,
            attempt.endpoint,
            attempt.fingerprint,
            answer.original,
            answer.status,
            answer.body,
            now,
        ),
    )


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
