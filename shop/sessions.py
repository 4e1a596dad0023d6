"""What a Checkout Session says about its order. Webhook and return page both come through here.

https://docs.stripe.com/api/checkout/sessions/object
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from shop.models import Order, Outcome, Source

log = logging.getLogger(__name__)


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

    @classmethod
    def read(cls, session: Mapping[str, Any]) -> Self:
        """Never raises for what is missing or odd: such a session matches no order, or pays none."""
        details = session.get("customer_details") or {}
        return cls(
            id=_text(session.get("id")),
            public_id=_uuid(session.get("client_reference_id")),
            status=_text(session.get("status")),
            payment_status=_text(session.get("payment_status")),
            amount_total=session.get("amount_total"),
            currency=_text(session.get("currency")),
            payment_intent_id=_text(session.get("payment_intent")),
            email=_text(details.get("email") if isinstance(details, Mapping) else "")[:254],
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
        order.flag("Paid twice: a second payment came from Stripe.", source=source)
        log.error("Stripe session %s pays order %s a second time", facts.id, order.public_id)
        return Outcome.HELD
    verbs = {"paid": order.mark_paid, "unpaid": order.mark_processing}
    if verb := verbs.get(facts.payment_status):
        return _outcome(verb(payment_intent_id=facts.payment_intent_id, email=facts.email, source=source))
    order.flag("Stripe says complete, but not whether it is paid.", source=source)
    log.error("Stripe session %s has payment_status %r", facts.id, facts.payment_status)
    return Outcome.HELD


def _outcome(changed: bool) -> Outcome:
    return Outcome.APPLIED if changed else Outcome.IGNORED


def _text(value: object) -> str:
    """A string that PostgreSQL can store: JSON may carry NUL and lone surrogates."""
    return value if isinstance(value, str) and value.isprintable() else ""


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(_text(value))
    except ValueError:
        return None
