"""What a Checkout Session says about its order. Webhook, return page and reconciler all come through here.

https://docs.stripe.com/api/checkout/sessions/object
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from shop.models import Order, Outcome, Source
from shop.stripe_json import id_of, inner, text, uuid

log = logging.getLogger(__name__)

NO_MONEY = ("requires_payment_method", "canceled")
"""States of a PaymentIntent, behind a session that is complete, in which nobody is paying any more.
https://docs.stripe.com/payments/paymentintents/lifecycle"""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """The part of a Checkout Session that decides about an order. Amounts in minor units."""

    id: str
    public_id: UUID | None
    status: str
    payment_status: str
    amount_total: int | None
    currency: str
    payment_intent_id: str
    email: str
    failed: bool
    """Complete, and the money will not come. The session itself does not say so: an event's type does, or the
    PaymentIntent of a session that was asked for with it."""

    @classmethod
    def read(cls, session: Mapping[str, Any], *, failed: bool = False) -> Self:
        """Never raises for what is missing or odd: such a session matches no order, or pays none."""
        intent = session.get("payment_intent")
        return cls(
            id=text(session.get("id")),
            public_id=uuid(session.get("client_reference_id")),
            status=text(session.get("status")),
            payment_status=text(session.get("payment_status")),
            amount_total=session.get("amount_total"),
            currency=text(session.get("currency")),
            payment_intent_id=id_of(intent),
            email=text(inner(session.get("customer_details")).get("email"))[:254],
            failed=failed or inner(intent).get("status") in NO_MONEY,
        )


def apply_session(facts: SessionFacts, source: Source) -> tuple[Outcome, Order | None]:
    """Let the order follow its session; returns what came of it and the order, if there is one."""
    with Order.objects.locking(facts.public_id) as order:
        if order is None:
            log.error("Stripe session %s belongs to no order of ours", facts.id)
            return Outcome.UNMATCHED, None
        return _follow(order, facts, source), order


def _follow(order: Order, facts: SessionFacts, source: Source) -> Outcome:
    if facts.status == "complete":
        return _complete(order, facts, source)
    # An order whose session was asked for twice has a second one that nobody ever saw: the end of that
    # one is not the end of the order.
    if facts.status == "expired" and order.stripe_session_id in (None, facts.id):
        return _outcome(order.expire(source=source))
    return Outcome.IGNORED


def _complete(order: Order, facts: SessionFacts, source: Source) -> Outcome:
    if (facts.amount_total, facts.currency) != (order.amount_total, order.currency):
        # Adaptive Pricing can do this to an honest shopper, so the money is not refused: staff decide.
        order.flag("Stripe's amount or currency differs from the order's.", source=source)
        log.error("Stripe session %s differs in amount or currency from order %s", facts.id, order.public_id)
        return Outcome.HELD
    if order.payment_intent_id not in ("", facts.payment_intent_id):
        order.flag(f"Paid twice: a second payment came, {facts.payment_intent_id}.", source=source)
        log.error("Stripe session %s pays order %s a second time", facts.id, order.public_id)
        return Outcome.HELD
    unpaid = order.mark_failed if facts.failed else order.mark_processing
    verbs = {"paid": order.mark_paid, "unpaid": unpaid}
    if verb := verbs.get(facts.payment_status):
        return _outcome(verb(payment_intent_id=facts.payment_intent_id, email=facts.email, source=source))
    order.flag("Stripe says complete, but not whether it is paid.", source=source)
    log.error("Stripe session %s has payment_status %r", facts.id, facts.payment_status)
    return Outcome.HELD


def _outcome(changed: bool) -> Outcome:
    return Outcome.APPLIED if changed else Outcome.IGNORED
