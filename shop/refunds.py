"""Giving money back: by staff from the order, and at Stripe by whoever may.

Staff's wish is written down before Stripe is asked, and Stripe is asked under an idempotency key of its own,
so whatever is cut in between, asking again is harmless: the reconciler does.
"""

import logging
from collections.abc import Mapping
from typing import Any, Literal, cast

import stripe
from asgiref.sync import sync_to_async

from shop import tracing
from shop.jobs import defer
from shop.models import Order, Outcome, PaymentStatus, Refund, RefundFacts, RefundStatus, Source, StripeEvent
from shop.stripe_client import from_stripe
from shop.stripe_json import id_of, inner, text, uuid, whole

log = logging.getLogger(__name__)

Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]


class StripeSilent(Exception):
    """Stripe did not answer in time, or not well. The refund stays requested and is asked for again."""


# --- staff ----------------------------------------------------------------------------------------


async def send(refund: Refund) -> bool:
    """Ask Stripe for a requested refund; whether Stripe does it. Raises StripeSilent."""
    try:
        return await make(refund)
    except (stripe.StripeError, TimeoutError) as error:
        log.warning("No answer to refund %s: %s", refund.public_id, type(error).__name__)
        raise StripeSilent from error


async def make(refund: Refund) -> bool:
    """The same, but raises stripe.StripeError and TimeoutError. Harmless if it was made before."""
    order = await Order.objects.aget(pk=refund.order_id)
    tracing.bind(order=order.public_id)
    try:
        made = await from_stripe(
            lambda client: client.v1.refunds.create_async(
                {
                    "payment_intent": order.payment_intent_id,
                    "amount": refund.amount,
                    "reason": cast("Reason", refund.reason or "requested_by_customer"),
                    "metadata": {"refund": str(refund.public_id), "public_id": str(order.public_id)},
                },
                {"idempotency_key": f"refund-{refund.public_id}"},
            )
        )
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        log.warning("Stripe refuses refund %s: %s %s", refund.public_id, error.code, error.request_id)
        await sync_to_async(Refund.objects.refuse)(refund, error.user_message or str(error.code))
        return False
    await sync_to_async(Refund.objects.record)(order, read(made.to_dict()), Source.STAFF)
    return True


async def ask(order: Order) -> None:
    """Let our rows follow all that Stripe has of an order. Raises stripe.StripeError, TimeoutError."""
    listed = await from_stripe(
        lambda client: client.v1.refunds.list_async({"payment_intent": order.payment_intent_id, "limit": 100})
    )
    for refund in reversed(listed.data):
        await sync_to_async(apply_refund)(refund.to_dict(), Source.RECONCILER)


# --- what Stripe tells ----------------------------------------------------------------------------


def read(refund: Mapping[str, Any]) -> RefundFacts:
    """Of Stripe's Refund. Raises ValueError for a status that we do not know."""
    return RefundFacts(
        id=text(refund.get("id")),
        ours=uuid(inner(refund.get("metadata")).get("refund")),
        status=RefundStatus(text(refund.get("status")) or RefundStatus.PENDING),
        amount=whole(refund.get("amount")),
        currency=text(refund.get("currency")),
        payment_intent_id=id_of(refund.get("payment_intent")),
        reason=text(refund.get("reason"))[:50],
        failure_reason=text(refund.get("failure_reason")),
    )


def apply_refund(refund: Mapping[str, Any], source: Source) -> tuple[Outcome, Order | None]:
    """Record one of Stripe's refunds. Before its payment is here it is unmatched, and comes again."""
    facts = read(refund)
    order = paid_order(facts.payment_intent_id)
    if order is None:
        return of_no_paid_order(f"refund {facts.id}", facts.payment_intent_id)
    if facts.currency != order.currency or facts.amount <= 0:
        order.flag("Stripe refunded in another currency than the order's.", source=source)
        log.error("Stripe refund %s differs in currency from order %s", facts.id, order.public_id)
        return Outcome.HELD, order
    changed = Refund.objects.record(order, facts, source)
    return (Outcome.APPLIED if changed else Outcome.IGNORED), order


def apply_charge(charge: Mapping[str, Any], source: Source) -> tuple[Outcome, Order | None]:
    """`charge.refunded` tells a sum and not which refunds: where ours differs, we ask for them."""
    payment_intent_id = id_of(charge.get("payment_intent"))
    order = paid_order(payment_intent_id)
    if order is None:
        return of_no_paid_order(f"charge {text(charge.get('id'))}", payment_intent_id)
    if whole(charge.get("amount_refunded")) == order.refunded_amount:
        return Outcome.IGNORED, order
    defer("look_up_refunds", order_id=order.pk)
    return Outcome.APPLIED, order


def paid_order(payment_intent_id: str) -> Order | None:
    """The order that was paid with it."""
    if not payment_intent_id:
        return None
    paid = Order.objects.filter(payment_intent_id=payment_intent_id, payment_status=PaymentStatus.PAID)
    return paid.first()


def of_no_paid_order(what: str, payment_intent_id: str) -> tuple[Outcome, Order | None]:
    """What Stripe tells of a payment that paid none of our orders. One that was held is staff's to give back,
    and no part of what its order has cost.
    """
    if order := order_held_for(payment_intent_id):
        return Outcome.IGNORED, order
    log.error("Stripe %s belongs to no paid order of ours", what)
    return Outcome.UNMATCHED, None


def order_held_for(payment_intent_id: str) -> Order | None:
    """The order at which staff were asked to look at this payment: a second one, or of another amount."""
    if not payment_intent_id:
        return None
    held = StripeEvent.objects.held_of_payment(payment_intent_id)
    return next((event.order for event in held if event.order), None)
