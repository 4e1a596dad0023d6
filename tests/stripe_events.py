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
