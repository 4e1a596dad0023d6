"""Is Stripe still heard? What is wrong with the webhooks, by the database, so the same in every process.

A shop is quiet for many honest reasons, and an open checkout that nobody pays sends no webhook. So silence
alone is not alarming, only worth asking Stripe about. It is alarming once something has happened at Stripe
that its webhook should have told (docs/operations.md).
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from shop.models import Source
from shop.reconcile import OLD_ENOUGH

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=1)
"""What happened before is history: the next sign of silence raises the alarm anew."""
STILL_TO_DO = timedelta(days=3)
"""How long an event that was given up is somebody's business: Stripe, too, goes on trying for three days."""
SAY_AGAIN = 30 * 60
"""Seconds between two lines of the log about the same trouble."""


KINDS = ("silence", "failed", "given_up")


@dataclass(frozen=True, slots=True)
class Trouble:
    """`since` is when the last webhook of a checkout came (None: none was ever heard), or the oldest of the
    events did.
    """

    kind: str
    """One of KINDS."""
    words: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Silence:
    troubles: tuple[Trouble, ...]
    suspicious: bool
    """Checkouts are open, and nothing has been heard for a while: no alarm, but a reason to ask Stripe."""

    @property
    def alarming(self) -> bool:
        return any(trouble.kind == "silence" for trouble in self.troubles)

    @property
    def old_enough(self) -> timedelta:
        """Age from which on the reconciler is to ask for orders whose webhook has not come."""
        if self.troubles:
            return timedelta(0)
        return min(_patience(), OLD_ENOUGH) if self.suspicious else OLD_ENOUGH


def silence() -> Silence:
    """How it stands now. One statement, of which each part finds its few rows by an index."""
    look = _look()
    troubles = []
    if look.found or look.overdue:
        troubles.append(Trouble("silence", _of_silence(look), look.heard_at))
    if look.failed:
        troubles.append(Trouble("failed", _of_failed(look), look.failed_since))
    if look.given_up:
        troubles.append(Trouble("given_up", _of_given_up(look), look.given_up_since))
    return Silence(tuple(troubles), look.quiet and look.open > 0)


def alarm() -> dict[str, Any]:
    """What live/_alarm.html shows: `alarm`, a tuple of Trouble, empty when all is well."""
    return {"alarm": silence().troubles}


class Watch:
    """What one worker has said of it. Called each minute; the log gets a line when something changes."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def look(self) -> Silence:
        now = silence()
        for trouble in now.troubles:
            if time.monotonic() >= self._said.get(trouble.kind, float("-inf")) + SAY_AGAIN:
                self._said[trouble.kind] = time.monotonic()
                log.error("Webhook alarm: %s", trouble.words)
        for kind in self._said.keys() - {trouble.kind for trouble in now.troubles}:
            del self._said[kind]
            log.info("Webhook alarm over: %s", kind)
        return now


# --- how it is known ------------------------------------------------------------------------------


class _Look(NamedTuple):
    heard_at: datetime | None
    """The newest delivery that told of a checkout."""
    quiet: bool
    """It is long ago."""
    open: int
    """Checkouts that should have been paid by now, if they will be."""
    overdue: int
    """Checkouts whose session is over, and nobody has said so."""
    found: int
    """Orders of which somebody else than a webhook had to tell us."""
    failed: int
    """Events that are tried again."""
    failed_since: datetime | None
    given_up: int
    """Those that are not."""
    given_up_since: datetime | None


def _patience() -> timedelta:
    return timedelta(minutes=settings.WEBHOOK_SILENCE_MINUTES)


def _look() -> _Look:
    periods: dict[str, Any] = {
        "patience": _patience(),
        "look_back": LOOK_BACK,
        "still_to_do": STILL_TO_DO,
        "others": [Source.RETURN_PAGE, Source.RECONCILER],
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, periods)
        return _Look(*cursor.fetchone())


def _of_silence(look: _Look) -> str:
    signs = []
    if look.found:
        signs.append(f"the shop had to find out about {_count(look.found, 'order')} by asking Stripe")
    if look.overdue:
        signs.append(f"nobody has said how {_count(look.overdue, 'checkout')} ended")
    return f"Stripe’s webhooks about checkouts do not arrive: {', and '.join(signs)}."


def _of_failed(look: _Look) -> str:
    waits = "wait" if look.failed > 1 else "waits"
    return f"{_count(look.failed, 'event')} from Stripe could not be applied and {waits}."


def _of_given_up(look: _Look) -> str:
    return f"{_count(look.given_up, 'event')} from Stripe could not be applied, again and again."


def _count(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' if count != 1 else ''}"


# Heard is what tells of checkouts: an endpoint may have lost just these, and go on telling of refunds.
# What a webhook tells late, waiting for the order's lock, and what was delivered and applied at a later try,
# is no sign of silence: the webhook was there. LIMIT keeps the planner from reading every change there is.
# Nor is a checkout that was completed, its payment held for staff: Stripe will not say that it is over.
_LOOK = """
WITH heard AS (
    SELECT max(last_received_at) AS at FROM (
        SELECT last_received_at FROM shop_stripeevent
        WHERE attempts > 0 AND type LIKE 'checkout.session.%%'
        ORDER BY last_received_at DESC LIMIT 1) AS newest
), bounds AS (
    SELECT at AS heard_at, statement_timestamp() - %(patience)s AS overdue_since,
        greatest(at, statement_timestamp() - %(look_back)s) AS heard_until
    FROM heard
), waiting AS (
    SELECT count(retry_at) AS count, min(received_at) FILTER (WHERE retry_at IS NOT NULL) AS since,
        count(*) - count(retry_at) AS given_up,
        min(received_at) FILTER (WHERE retry_at IS NULL) AS given_up_since
    FROM shop_stripeevent
    WHERE outcome IN ('failed', 'unmatched') AND (outcome = 'failed' OR tries > 1)
        AND (retry_at IS NOT NULL OR received_at > statement_timestamp() - %(still_to_do)s)
)
SELECT
    bounds.heard_at,
    coalesce(bounds.heard_at < bounds.overdue_since, true),
    (SELECT count(*) FROM shop_order
     WHERE payment_status = 'pending' AND stripe_session_id IS NOT NULL
        AND placed_at < bounds.overdue_since),
    (SELECT count(*) FROM shop_order
     WHERE payment_status = 'pending' AND stripe_session_id IS NOT NULL
        AND checkout_expires_at > bounds.heard_until AND checkout_expires_at < bounds.overdue_since
        AND NOT EXISTS (
            SELECT FROM shop_stripeevent event
            WHERE event.order_id = shop_order.id AND event.outcome = 'held' AND event.attempts > 0)),
    (SELECT count(*)
     FROM shop_order, LATERAL (
        SELECT FROM shop_orderchange change
        WHERE change.order_id = shop_order.id
            AND change.at > bounds.heard_until AND change.at < bounds.overdue_since
            AND change.what = 'payment_status' AND change.source = ANY(%(others)s)
            AND NOT EXISTS (
                SELECT FROM shop_stripeevent event
                WHERE event.order_id = shop_order.id AND event.attempts > 0
                    AND event.type LIKE 'checkout.session.%%'
                    AND (event.last_received_at > change.at - interval '1 minute'
                        OR event.tries > 0 AND event.outcome = 'applied'))
        LIMIT 1) AS found
     WHERE shop_order.updated_at > bounds.heard_until AND shop_order.stripe_session_id IS NOT NULL),
    waiting.count,
    waiting.since,
    waiting.given_up,
    waiting.given_up_since
FROM bounds, waiting
"""
