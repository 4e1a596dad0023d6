"""Disputes and inquiries: https://docs.stripe.com/disputes"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.local_stripe import DISPUTED_CARD, INQUIRED_CARD, LocalStripe, eventually


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    """Its banks take an hour."""
    folder = tmp_path_factory.mktemp("stripe")
    with LocalStripe(folder, SANDBOX_STRIPE_DEBIT_SECONDS="3600") as running:
        yield running


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    """Its banks answer as soon as they are asked."""
    folder = tmp_path_factory.mktemp("stripe")
    with LocalStripe(folder, SANDBOX_STRIPE_DEBIT_SECONDS="0") as running:
        yield running


def disputed(local: LocalStripe, card: str = DISPUTED_CARD) -> stripe.Dispute:
    [dispute] = local.client().v1.disputes.list({"payment_intent": local.paid(card).id}).data
    return dispute


def answer(local: LocalStripe, dispute: stripe.Dispute, words: str, **params: Any) -> stripe.Dispute:
    params["evidence"] = {"uncategorized_text": words}
    update: Any = local.client().v1.disputes.update
    answered: stripe.Dispute = update(dispute.id, params)
    return answered


def becomes(local: LocalStripe, dispute: stripe.Dispute, status: str) -> stripe.Dispute:
    retrieve = local.client().v1.disputes.retrieve
    found: stripe.Dispute = eventually(lambda: (now := retrieve(dispute.id)).status == status and now)
    return found


def refund(local: LocalStripe, dispute: stripe.Dispute) -> stripe.Refund:
    return local.client().v1.refunds.create({"charge": str(dispute.charge)})


def test_a_card_can_be_disputed_right_after_the_payment(local: LocalStripe) -> None:
    payment = local.paid(DISPUTED_CARD)
    [dispute] = local.client().v1.disputes.list({"charge": payment.latest_charge.id}).data

    assert (payment.status, payment.latest_charge.disputed) == ("succeeded", True)
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 2999)
    assert (dispute.payment_intent, dispute.is_charge_refundable) == (payment.id, False)
    assert [move.net for move in dispute.balance_transactions] == [-2999]
    assert local.events_about(payment.id, payment.latest_charge.id, dispute.id) == [
        "payment_intent.created",
        "charge.succeeded",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "payment_intent.succeeded",
    ]


def test_a_disputed_charge_cannot_be_refunded(local: LocalStripe) -> None:
    dispute = disputed(local)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        refund(local, dispute)

    assert (refused.value.http_status, refused.value.code) == (400, "charge_disputed")
    assert refused.value.user_message == (
        f"Charge {dispute.charge} has been charged back; cannot issue a refund."
    )


def test_an_inquiry_takes_no_money_and_can_be_answered_by_a_refund(local: LocalStripe) -> None:
    dispute = disputed(local, INQUIRED_CARD)

    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert local.events_about(dispute.id) == ["charge.dispute.created"]
    assert refund(local, dispute).status == "succeeded"


def test_evidence_that_wins_brings_the_money_back(quick: LocalStripe) -> None:
    dispute = disputed(quick)
    under_review = answer(quick, dispute, "winning_evidence")
    assert under_review.status == "under_review"
    assert under_review.evidence.uncategorized_text == "winning_evidence"
    assert under_review.evidence_details.submission_count == 1

    won = becomes(quick, dispute, "won")
    assert [move.net for move in won.balance_transactions] == [-2999, 2999]
    assert quick.events_about(dispute.id) == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]
    assert quick.client().v1.charges.retrieve(str(dispute.charge)).disputed
    assert refund(quick, dispute).status == "succeeded"


def test_evidence_that_loses_does_not(quick: LocalStripe) -> None:
    dispute = disputed(quick)
    answer(quick, dispute, "losing_evidence")

    lost = becomes(quick, dispute, "lost")
    assert [move.net for move in lost.balance_transactions] == [-2999]
    assert quick.events_about(dispute.id)[-2:] == ["charge.dispute.updated", "charge.dispute.closed"]
    with pytest.raises(stripe.InvalidRequestError, match="has been charged back"):
        refund(quick, dispute)


def test_other_evidence_stays_under_review(quick: LocalStripe) -> None:
    first, second = disputed(quick), disputed(quick)
    answer(quick, first, "They have it, here is the photo.")
    answer(quick, second, "winning_evidence")

    becomes(quick, second, "won")
    assert quick.client().v1.disputes.retrieve(first.id).status == "under_review"


def test_evidence_can_be_laid_down_before_it_is_submitted(quick: LocalStripe) -> None:
    dispute = disputed(quick)
    staged = answer(quick, dispute, "winning_evidence", submit=False)
    details = staged.evidence_details
    assert (staged.status, details.has_evidence, details.submission_count) == ("needs_response", True, 0)

    assert quick.client().v1.disputes.update(dispute.id, {"submit": True}).status == "under_review"
    becomes(quick, dispute, "won")


@pytest.mark.parametrize("words", ["winning_evidence", "losing_evidence"])
def test_an_answered_inquiry_closes_without_a_chargeback(quick: LocalStripe, words: str) -> None:
    dispute = disputed(quick, INQUIRED_CARD)
    assert answer(quick, dispute, words).status == "warning_under_review"

    assert becomes(quick, dispute, "warning_closed").balance_transactions == []
    assert quick.events_about(dispute.id)[-1] == "charge.dispute.closed"


def test_an_inquiry_can_become_a_chargeback(quick: LocalStripe) -> None:
    dispute = disputed(quick, INQUIRED_CARD)
    answer(quick, dispute, "escalate_inquiry_evidence")

    escalated = becomes(quick, dispute, "needs_response")
    assert [move.net for move in escalated.balance_transactions] == [-2999]
    assert quick.events_about(dispute.id)[-2:] == [
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="has been charged back"):
        refund(quick, dispute)


def test_to_close_a_dispute_is_to_lose_it(local: LocalStripe) -> None:
    dispute, inquiry = disputed(local), disputed(local, INQUIRED_CARD)
    disputes = local.client().v1.disputes

    assert disputes.close(dispute.id).status == "lost"
    assert disputes.close(inquiry.id).status == "warning_closed"
    assert local.events_about(dispute.id)[-1] == "charge.dispute.closed"
    for again in (lambda: disputes.close(dispute.id), lambda: answer(local, dispute, "winning_evidence")):
        with pytest.raises(stripe.InvalidRequestError, match="This dispute is already closed"):
            again()


def test_a_dispute_closed_under_review_hears_no_second_verdict(tmp_path: Path) -> None:
    with LocalStripe(tmp_path, SANDBOX_STRIPE_DEBIT_SECONDS="1") as local:
        dispute, other = disputed(local), disputed(local)
        answer(local, dispute, "winning_evidence")
        local.client().v1.disputes.close(dispute.id)
        answer(local, other, "winning_evidence")

        becomes(local, other, "won")
        assert local.client().v1.disputes.retrieve(dispute.id).status == "lost"
        assert local.events_about(dispute.id).count("charge.dispute.closed") == 1


def test_disputes_are_found_by_payment_and_time(local: LocalStripe) -> None:
    dispute, newer = disputed(local), disputed(local)
    disputes = local.client().v1.disputes

    assert [one.id for one in disputes.list({"limit": 2}).data] == [newer.id, dispute.id]
    assert [one.id for one in disputes.list({"charge": str(dispute.charge)}).data] == [dispute.id]
    assert disputes.list({"created": {"gt": newer.created + 60}}).data == []
    everything: Any = {"expand": ["charge", "payment_intent"]}
    expanded: Any = disputes.retrieve(dispute.id, everything)
    assert (expanded.charge.disputed, expanded.payment_intent.status) == (True, "succeeded")
    with pytest.raises(stripe.InvalidRequestError, match="No such dispute: 'du_nobody'") as refused:
        disputes.retrieve("du_nobody")
    assert (refused.value.http_status, refused.value.param) == (404, "dispute")


def test_metadata_alone_submits_nothing(local: LocalStripe) -> None:
    dispute = disputed(local)
    answer(local, dispute, "not yet", submit=False)
    changed = local.client().v1.disputes.update(dispute.id, {"metadata": {"case": "12"}})

    assert (changed.status, changed.to_dict()["metadata"]) == ("needs_response", {"case": "12"})


def test_a_file_as_evidence_is_not_swallowed(local: LocalStripe) -> None:
    evidence: Any = {"receipt": "file_1"}
    with pytest.raises(stripe.InvalidRequestError, match="does not do this") as refused:
        local.client().v1.disputes.update(disputed(local).id, {"evidence": evidence})
    assert refused.value.param == "evidence[receipt]"
