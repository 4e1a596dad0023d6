"""Stripe as far as money goes: what it took, what it gave back, and the events that tell of it.

It follows Stripe's rules, not the shop's, and knows no more of an order than its id and its price.
"""

import copy
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from shop.models import Order
from tests import stripe_events

Json = dict[str, Any]

REFUND_GOES_TO = {
    "pending": ("requires_action", "succeeded", "failed", "canceled"),
    "requires_action": ("succeeded", "failed", "canceled"),
    "succeeded": ("failed",),
    "failed": (),
    "canceled": (),
}
"""https://docs.stripe.com/refunds#failed-refunds"""

DISPUTE_GOES_TO = {
    "warning_needs_response": ("warning_under_review", "warning_closed", "needs_response"),
    "warning_under_review": ("warning_closed", "needs_response"),
    "warning_closed": ("needs_response",),
    "needs_response": ("under_review", "won", "lost", "prevented"),
    "under_review": ("won", "lost", "appeal_needs_response"),
    "appeal_needs_response": ("appeal_under_review", "lost"),
    "appeal_under_review": ("won", "lost"),
    "lost": ("won",),
    "won": (),
    "prevented": (),
}
"""https://docs.stripe.com/disputes/how-disputes-work"""

GONE = ("pending", "requires_action", "succeeded")
"""Refunds in these states are missing from what the shop has."""
SETTLED = ("won", "prevented", "warning_closed")
"""Disputes in these states take nothing from the shop."""


class Refused(Exception):
    """Stripe does not do that; the text is its error code."""


@dataclass(eq=False)
class Word:
    """An event, and how often the shop has answered it with 200."""

    event: Json
    sale: "Sale"
    deliveries: int = 0


@dataclass(eq=False)
class Sale:
    """One order's session and whatever became of its money."""

    bank: "Bank"
    order: Order
    amount: int
    """What Stripe takes for it: the order's, unless somebody has meddled."""
    failed: bool = False
    refunds: list[Json] = field(default_factory=list)
    disputes: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        nothing_yet = {"status": "open", "payment_status": "unpaid", "payment_intent": None}
        fields = {"id": f"cs_test_{uuid.uuid4().hex}", "amount_total": self.amount, **nothing_yet}
        self.session = stripe_events.session(self.order, url="http://stripe.test/pay", **fields)
        self.opening = dict(self.session)
        """What Stripe answers to whoever asks for it once more under the same idempotency key."""
        self.intent_id = f"pi_{uuid.uuid4().hex}"

    @property
    def is_odd(self) -> bool:
        """Whether Stripe takes another amount than the order's: then staff have to look."""
        return self.amount != self.order.amount_total

    @property
    def is_open(self) -> bool:
        return bool(self.session["status"] == "open")

    @property
    def is_under_way(self) -> bool:
        return self.session["status"] == "complete" and not self.is_paid and not self.failed

    @property
    def is_paid(self) -> bool:
        return bool(self.session["payment_status"] == "paid")

    @property
    def given_back(self) -> int:
        return sum(refund["amount"] for refund in self.refunds if refund["status"] in GONE)

    @property
    def is_disputed(self) -> bool:
        return any(dispute["status"] not in SETTLED for dispute in self.disputes)

    # --- what happens at Stripe -------------------------------------------------------------------

    def may_happen(self) -> list[Callable[[], Any]]:
        """What can become of it now, the more likely more than once."""
        if self.is_open:
            card, debit = partial(self.complete, paid=True), partial(self.complete, paid=False)
            return [card, card, card, debit, debit, self.expire]
        if self.is_under_way:
            good, bad = partial(self.settle, succeeded=True), partial(self.settle, succeeded=False)
            return [good, good, bad]
        return [*self._refunds_may(), *self._disputes_may()] if self.is_paid else []

    def complete(self, *, paid: bool) -> None:
        """The shopper is done: with a card, or with a bank's debit that takes days."""
        status = {"status": "complete", "payment_status": "paid" if paid else "unpaid"}
        self.session |= {**status, "payment_intent": self.intent_id}
        self._tell("checkout.session.completed", self.session)

    def settle(self, *, succeeded: bool) -> None:
        """The bank's word on a debit."""
        self.failed = not succeeded
        self.session["payment_status"] = "paid" if succeeded else "unpaid"
        kind = "succeeded" if succeeded else "failed"
        self._tell(f"checkout.session.async_payment_{kind}", self.session)

    def expire(self) -> None:
        if not self.is_open:
            raise Refused("")
        self.session["status"] = "expired"
        self._tell("checkout.session.expired", self.session)

    def refund(self, amount: int, status: str, metadata: Json) -> Json:
        if not self.is_paid or not 0 < amount <= self.amount - self.given_back:
            raise Refused("charge_already_refunded")
        fields = {"payment_intent": self.intent_id, "status": status, "metadata": metadata}
        refund = stripe_events.refund(self.order, amount, **fields)
        self.refunds.append(refund)
        self._tell("refund.created", refund)
        self._tell_sum()
        return refund

    def move_refund(self, refund: Json, status: str) -> None:
        refund["status"] = status
        if status == "failed":
            refund["failure_reason"] = "expired_or_canceled_card"
            self._tell("refund.failed", refund)
        self._tell("refund.updated", refund)
        self._tell("charge.refund.updated", refund)

    def dispute(self, status: str) -> None:
        dispute = stripe_events.dispute(self.order, payment_intent=self.intent_id, status=status)
        self.disputes.append(dispute)
        self._tell("charge.dispute.created", dispute)
        if status == "needs_response":
            self._tell("charge.dispute.funds_withdrawn", dispute)

    def move_dispute(self, dispute: Json, status: str) -> None:
        dispute["status"] = status
        if status == "won":
            self._tell("charge.dispute.funds_reinstated", dispute)
        over = status in (*SETTLED, "lost")
        self._tell("charge.dispute.closed" if over else "charge.dispute.updated", dispute)

    def _refunds_may(self) -> Iterator[Callable[[], Any]]:
        left = self.amount - self.given_back
        if left:
            yield partial(self.refund, left, "succeeded", {})
            yield partial(self.refund, -(-left // 3), "pending", {})
        for refund in self.refunds:
            for status in REFUND_GOES_TO[refund["status"]]:
                yield partial(self.move_refund, refund, status)

    def _disputes_may(self) -> Iterator[Callable[[], Any]]:
        if not self.is_disputed:
            yield partial(self.dispute, "needs_response")
            yield partial(self.dispute, "warning_needs_response")
        for dispute in self.disputes:
            for status in DISPUTE_GOES_TO[dispute["status"]]:
                yield partial(self.move_dispute, dispute, status)

    def _tell(self, event_type: str, thing: Json) -> None:
        self.bank.words.append(Word(stripe_events.event(event_type, copy.deepcopy(thing)), self))

    def _tell_sum(self) -> None:
        event = stripe_events.charge_refunded(self.order, self.given_back, payment_intent=self.intent_id)
        self.bank.words.append(Word(event, self))


@dataclass
class Bank:
    sales: list[Sale] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    """All that it has to tell, oldest first."""
    mood: str = "well"
    """How it answers the API: "well", "down", "cut" (it does it, and nobody hears so), "no" to refunds."""
    answers: dict[str, tuple[int, Json]] = field(default_factory=dict)
    """By idempotency key."""

    def open(self, order: Order, amount: int) -> Sale:
        self.sales.append(Sale(self, order, amount))
        return self.sales[-1]

    def undelivered(self) -> list[Word]:
        return [word for word in self.words if not word.deliveries]
