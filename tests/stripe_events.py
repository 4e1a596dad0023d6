"""Stripe's events and signatures, built as Stripe builds them."""

import json
import time
import uuid
from typing import Any

import stripe
from django.conf import settings

from shop.models import Order


def session(order: Order, **fields: Any) -> dict[str, Any]:
    """The order's Checkout Session, complete and paid unless told otherwise."""
    return {
        "id": order.stripe_session_id or f"cs_test_{order.public_id.hex}",
        "object": "checkout.session",
        "amount_total": order.amount_total,
        "client_reference_id": str(order.public_id),
        "currency": order.currency,
        "customer_details": {"email": "ada@example.com", "name": "Ada"},
        "livemode": False,
        "metadata": {"public_id": str(order.public_id)},
        "mode": "payment",
        "payment_intent": f"pi_{order.public_id.hex}",
        "payment_status": "paid",
        "status": "complete",
        **fields,
    }


def event(event_type: str, thing: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{uuid.uuid4().hex}",
        "object": "event",
        "api_version": stripe.api_version,
        "created": int(time.time()),
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
        **fields,
    }


def completed(order: Order, **fields: Any) -> dict[str, Any]:
    return event("checkout.session.completed", session(order, **fields))


def expired(order: Order, **fields: Any) -> dict[str, Any]:
    nothing_paid = {"status": "expired", "payment_status": "unpaid", "payment_intent": None}
    return event("checkout.session.expired", session(order, **nothing_paid | fields))


def async_payment(order: Order, *, succeeded: bool, **fields: Any) -> dict[str, Any]:
    """The bank's word, days after the session was completed unpaid."""
    end = {"payment_status": "paid"} if succeeded else {"payment_status": "unpaid"}
    kind = "succeeded" if succeeded else "failed"
    return event(f"checkout.session.async_payment_{kind}", session(order, **end | fields))


def refund(order: Order, amount: int, **fields: Any) -> dict[str, Any]:
    """Stripe's refund of a part of what was paid, in minor units; succeeded unless told otherwise.

    For one that the shop asked for: `metadata={"refund": str(row.public_id)}`.
    """
    return {
        "id": f"re_{uuid.uuid4().hex}",
        "object": "refund",
        "amount": amount,
        "charge": f"ch_{order.public_id.hex}",
        "created": int(time.time()),
        "currency": order.currency,
        "metadata": {},
        "payment_intent": order.payment_intent_id or f"pi_{order.public_id.hex}",
        "reason": None,
        "status": "succeeded",
        **fields,
    }


def charge_refunded(order: Order, amount_refunded: int, **fields: Any) -> dict[str, Any]:
    """What Stripe tells besides: the sum so far, and not which refunds it is made of."""
    charge = {
        "id": f"ch_{order.public_id.hex}",
        "object": "charge",
        "amount": order.amount_total,
        "amount_captured": order.amount_total,
        "amount_refunded": amount_refunded,
        "currency": order.currency,
        "livemode": False,
        "metadata": {"public_id": str(order.public_id)},
        "paid": True,
        "payment_intent": order.payment_intent_id or f"pi_{order.public_id.hex}",
        "refunded": amount_refunded == order.amount_total,
        "status": "succeeded",
        **fields,
    }
    return event("charge.refunded", charge)


def dispute(order: Order, **fields: Any) -> dict[str, Any]:
    """A bank takes back all that was paid, and waits for an answer, unless told otherwise."""
    created = int(time.time())
    due_by = (created // 86400 + 9) * 86400 - 1
    return {
        "id": f"du_{uuid.uuid4().hex}",
        "object": "dispute",
        "amount": order.amount_total,
        "charge": f"ch_{order.public_id.hex}",
        "created": created,
        "currency": order.currency,
        "evidence": {},
        "evidence_details": {"due_by": due_by, "has_evidence": False, "submission_count": 0},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": order.payment_intent_id or f"pi_{order.public_id.hex}",
        "reason": "fraudulent",
        "status": "needs_response",
        **fields,
    }


def signature(body: str, *, secret: str | None = None, at: float | None = None) -> str:
    """The Stripe-Signature header for a body; `at` in seconds since 1970, now by default."""
    header: str = stripe.WebhookSignature.generate_signature_header(
        body, secret or settings.STRIPE_WEBHOOK_SECRETS[0], int(at or time.time())
    )
    return header


def signed(thing: Any, **how: Any) -> tuple[str, dict[str, str]]:
    """The body and headers of a webhook that carries it (an event, or any JSON)."""
    body = json.dumps(thing)
    return body, {"Stripe-Signature": signature(body, **how)}
