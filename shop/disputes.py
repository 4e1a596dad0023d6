"""What Stripe tells of a dispute. https://docs.stripe.com/disputes"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shop.models import Dispute, DisputeFacts, DisputeStatus, Order, Outcome, Source
from shop.models.moves import HARMLESS
from shop.refunds import of_no_paid_order, paid_order
from shop.stripe_json import id_of, inner, text, whole

log = logging.getLogger(__name__)


def read(dispute: Mapping[str, Any]) -> DisputeFacts:
    """Of Stripe's Dispute. Raises ValueError for a status that we do not know."""
    due_by = whole(inner(dispute.get("evidence_details")).get("due_by"))
    return DisputeFacts(
        id=text(dispute.get("id")),
        status=DisputeStatus(text(dispute.get("status"))),
        amount=whole(dispute.get("amount")),
        currency=text(dispute.get("currency"))[:3],
        payment_intent_id=id_of(dispute.get("payment_intent")),
        reason=text(dispute.get("reason"))[:50],
        evidence_due_by=datetime.fromtimestamp(due_by, UTC) if 0 < due_by < 2**33 else None,
    )


def apply_dispute(dispute: Mapping[str, Any], source: Source) -> tuple[Outcome, Order | None]:
    """Record one of Stripe's disputes. Before its payment is here it is unmatched, and comes again."""
    facts = read(dispute)
    order = paid_order(facts.payment_intent_id)
    if order is None:
        return _of_no_paid_order(facts, source)
    changed = Dispute.objects.record(order, facts, source)
    if changed:
        log.error("Order %s is disputed: %s (%s)", order.public_id, facts.status, facts.reason)
    return (Outcome.APPLIED if changed else Outcome.IGNORED), order


def _of_no_paid_order(facts: DisputeFacts, source: Source) -> tuple[Outcome, Order | None]:
    """Unlike a refund of a payment that was held, nobody here asked for it: staff must answer the bank."""
    outcome, order = of_no_paid_order(f"dispute {facts.id}", facts.payment_intent_id)
    if order is None or facts.status in HARMLESS:
        return outcome, order
    reason = f"A bank disputes a payment that is not this order's own, {facts.payment_intent_id}."
    if order.flag(reason, source=source):
        log.error("Dispute %s is of a payment held at order %s", facts.id, order.public_id)
    return Outcome.HELD, order
