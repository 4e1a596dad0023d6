"""Stripe's webhook: from a signed POST to the one right state of an order.

Verified by hand and not by `stripe.Webhook.construct_event`, which accepts any time in the future, raises
three kinds of error on odd bodies and builds a tree of objects for twenty times the cost of the check.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import stripe
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from shop import flight, tracing
from shop.disputes import apply_dispute
from shop.models import Order, Outcome, Source, StripeEvent
from shop.models.events import OPEN
from shop.models.timeline import acting
from shop.refunds import apply_charge, apply_refund
from shop.sessions import SessionFacts, apply_session
from shop.stripe_json import id_of

log = logging.getLogger(__name__)

TOLERANCE = 300
"""Seconds that Stripe's clock and ours may differ, either way."""
MAX_BODY = 1_000_000  # bytes
MAX_SIGNATURE = 2_000  # characters: room for a few secrets, not for a flood of guesses

Handler = Callable[[Mapping[str, Any], Source], tuple[Outcome, Order | None]]


def _session_event(session: Mapping[str, Any], source: Source) -> tuple[Outcome, Order | None]:
    return apply_session(SessionFacts.read(session), source)


def _failed_session_event(session: Mapping[str, Any], source: Source) -> tuple[Outcome, Order | None]:
    return apply_session(SessionFacts.read(session, failed=True), source)


HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": _session_event,
    "checkout.session.async_payment_succeeded": _session_event,
    "checkout.session.async_payment_failed": _failed_session_event,
    "checkout.session.expired": _session_event,
    "refund.created": apply_refund,
    "refund.updated": apply_refund,
    "refund.failed": apply_refund,
    "charge.refund.updated": apply_refund,
    "charge.refunded": apply_charge,
    "charge.dispute.created": apply_dispute,
    "charge.dispute.updated": apply_dispute,
    "charge.dispute.funds_withdrawn": apply_dispute,
    "charge.dispute.funds_reinstated": apply_dispute,
    "charge.dispute.closed": apply_dispute,
}
"""Event type → what it does. Every other type is recorded, and that is all."""


class Refused(Exception):
    """Not an event that Stripe signed for us. `status` is the answer's, the text its reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Purged(Exception):
    """What the event said is no longer kept; what came of it is."""

    def __init__(self) -> None:
        days = settings.EVENT_PAYLOAD_DAYS
        super().__init__(f"Its payload was purged after {days} days: there is nothing left to replay.")


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """The webhook as a view; project/webhook_door.py leads there by a shorter way."""
    received = time.perf_counter()
    try:
        body = request.body
    except RequestDataTooBig:
        body = bytes(MAX_BODY + 1)
    status, text = answer(body, request.headers.get("Stripe-Signature", ""), received)
    return HttpResponse(text, status=status, content_type="text/plain")


def answer(body: bytes, signature: str, received: float) -> tuple[int, str]:
    """Status and text for a delivery: 2xx once the event is committed and never before.

    `received` is when its request came in, by `time.perf_counter`.
    Whatever else goes wrong is raised and becomes a 500, so that Stripe comes back.
    """
    try:
        event = verified_event(body, signature)
    except Refused as refusal:
        # Neither body nor signature: whoever reads logs must not be able to learn or replay them.
        log.warning("Webhook refused: %s", refusal)
        flight.recorder.refuse(str(refusal))
        return refusal.status, f"{refusal}\n"
    return 200, f"{receive(event, body.decode(), flown=flight.Flight(received))}\n"


def receive(
    event: Mapping[str, Any],
    payload: str,
    source: Source = Source.WEBHOOK,
    *,
    flown: flight.Flight | None = None,
) -> Outcome:
    """Record the event and do what it says, both or neither. A repeated event does nothing again.

    If doing it fails, the event is kept as failed, to be tried again, and the error is raised.
    """
    delivered = source == Source.WEBHOOK
    return _process(event, payload, source, again=OPEN, delivered=delivered, flown=flown or flight.Flight())


def replay(event_id: str, source: Source = Source.REPLAY, *, who_id: int | None = None) -> Outcome:
    """Do once more what a stored event says, unless that was done; returns what came of it.

    `who_id` is the user who wants it, for the order's timeline. Raises StripeEvent.DoesNotExist, Purged, and
    whatever made it fail again.
    """
    stored = StripeEvent.objects.get(pk=event_id)
    if stored.is_purged:
        raise Purged
    again = frozenset(set(Outcome) - {Outcome.APPLIED})
    event, flown = json.loads(stored.payload), flight.Flight()
    with acting(who_id):
        return _process(event, stored.payload, source, again=again, delivered=False, flown=flown)


def _process(
    event: Mapping[str, Any],
    payload: str,
    source: Source,
    *,
    again: frozenset[Outcome],
    delivered: bool,
    flown: flight.Flight,
) -> Outcome:
    def recorded() -> Outcome:
        so_far = StripeEvent.objects.receive(
            event["id"], event["type"], event["created"], payload, delivered=delivered
        )
        return Outcome(so_far)

    tracing.bind(event=event["id"])
    try:
        with transaction.atomic():
            outcome = recorded()
            if outcome in again:
                flown.board()
                outcome, order = _apply(event, source)
                _settle(event, outcome, order)
    except Exception as error:
        # By its kind only: PostgreSQL's messages quote rows, and rows hold people's addresses.
        with transaction.atomic():
            if recorded() in again:
                flown.board()
                _settle(event, Outcome.FAILED, None, type(error).__name__)
        raise
    finally:
        flown.land(event["id"])
    return outcome


def _settle(event: Mapping[str, Any], outcome: Outcome, order: Order | None, error: str = "") -> None:
    if order:
        tracing.bind(order=order.public_id)
    held = id_of(event["data"]["object"].get("payment_intent"))[:255] if outcome == Outcome.HELD else ""
    if not StripeEvent.objects.settle(event["id"], outcome, order, error, payment_intent_id=held):
        log.critical("Given up on event %s (%s): %s %s", event["id"], event["type"], outcome, error)


def _apply(event: Mapping[str, Any], source: Source) -> tuple[Outcome, Order | None]:
    if event["livemode"] != settings.STRIPE_LIVE_MODE:
        log.error("Event %s is of the other mode (livemode=%s): ignored", event["id"], event["livemode"])
        return Outcome.IGNORED, None
    if handler := HANDLERS.get(event["type"]):
        return handler(event["data"]["object"], source)
    return Outcome.IGNORED, None


# --- is it Stripe's? ------------------------------------------------------------------------------


def verified_event(body: bytes, signature: str) -> dict[str, Any]:
    """The event in a body that Stripe signed: id, type, created, livemode and data.object are sound.

    Raises Refused. https://docs.stripe.com/webhooks#verify-manually
    """
    if len(body) > MAX_BODY:
        raise Refused(413, "The body is larger than any event.")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refused(400, "The body is not UTF-8.") from None
    _check_signature(text, signature)
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None
    if not is_event(event):
        raise Refused(400, "The body is not an event.")
    return event  # type: ignore[no-any-return]  # is_event looked


def _check_signature(text: str, signature: str) -> None:
    if not signature.isascii() or len(signature) > MAX_SIGNATURE:
        raise Refused(400, "The signature is malformed.")
    if not _signed(text, signature, TOLERANCE):
        # Told apart for whoever has to mend it: another clock, or another secret.
        late = _signed(text, signature, None)
        raise Refused(400, "The signature is too old." if late else "The signature does not match.")
    # The SDK bounds the past only.
    signed_at = re.search(r"(?:^|,)t=(\d{1,12})(?:,|$)", signature)
    if signed_at is None or int(signed_at[1]) > time.time() + TOLERANCE:
        raise Refused(400, "The signature is from the future.")


def _signed(text: str, signature: str, tolerance: int | None) -> bool:
    secrets = settings.STRIPE_WEBHOOK_SECRETS
    return any(_signed_with(secret, text, signature, tolerance) for secret in secrets)


def _signed_with(secret: str, text: str, signature: str, tolerance: int | None) -> bool:
    try:
        stripe.WebhookSignature.verify_header(text, signature, secret, tolerance)
    except stripe.SignatureVerificationError:
        return False
    return True


def is_event(event: object) -> bool:
    """Whether what every event of Stripe's has is there, and can be stored."""
    return (
        isinstance(event, dict)
        and isinstance(event.get("id"), str)
        and re.fullmatch(r"[!-~]{1,255}", event["id"]) is not None
        and isinstance(event.get("type"), str)
        and re.fullmatch(r"[!-~]{1,255}", event["type"]) is not None
        and type(event.get("created")) is int
        and 0 <= event["created"] < 2**33
        and isinstance(event.get("livemode"), bool)
        and isinstance(event.get("data"), dict)
        and isinstance(event["data"].get("object"), dict)
    )
