"""What can happen to a dispute. Each verb is one transaction, or part of the caller's."""

from sandbox.stripe import events, later
from sandbox.stripe.account import Account
from sandbox.stripe.api.errors import invalid
from sandbox.stripe.events import AUTOMATIC, Cause
from sandbox.stripe.objects import dispute as dispute_objects
from sandbox.stripe.objects.metadata import merged
from sandbox.stripe.store import Json

# What `evidence[uncategorized_text]` leads to, of a chargeback and of an inquiry:
# https://docs.stripe.com/testing#disputes
_VERDICTS = {
    "winning_evidence": ("won", "warning_closed"),
    "losing_evidence": ("lost", "warning_closed"),
    "escalate_inquiry_evidence": (None, "escalated"),
}
_OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")


def open_dispute(
    account: Account, charge: Json, reason: str = "fraudulent", *, inquiry: bool = False
) -> Json:
    """The bank disputes what is left of a charge, or with `inquiry` only asks; returns the dispute.

    Announces charge.dispute.created and, unless it only asks, charge.dispute.funds_withdrawn. Raises
    StripeError for a charge that did not succeed, was refunded, or has an open dispute.
    """
    with account.change():
        charge = account.store.get("charge", charge["id"])
        _check_disputable(account, charge)
        dispute = dispute_objects.new_dispute(charge, reason, inquiry)
        if not inquiry:
            dispute_objects.withdraw(dispute)
        account.store.insert(dispute, parent=charge["id"])
        charge["disputed"] = True
        account.store.save(charge)
        events.record(account, "charge.dispute.created", dispute)
        if not inquiry:
            events.record(account, "charge.dispute.funds_withdrawn", dispute)
        return dispute


def close(account: Account, dispute: Json, *, won: bool, cause: Cause = AUTOMATIC) -> Json:
    """The bank's last word, or with won=False ours: won or lost, and of an inquiry warning_closed.

    Announces charge.dispute.closed, and charge.dispute.funds_reinstated before it if won. Raises StripeError
    if it is closed already.
    """
    with account.change():
        dispute = _still_open(account, dispute)
        later.forget(account, dispute["id"])
        if _is_inquiry(dispute):
            dispute["status"] = "warning_closed"
        else:
            dispute["status"] = "won" if won else "lost"
        if dispute["status"] == "won":
            dispute["is_charge_refundable"] = True
            dispute_objects.reinstate(dispute)
            events.record(account, "charge.dispute.funds_reinstated", dispute, cause)
        account.store.save(dispute)
        events.record(account, "charge.dispute.closed", dispute, cause)
        return dispute


def escalate(account: Account, dispute: Json) -> Json:
    """An inquiry becomes a chargeback; announces charge.dispute.updated and .funds_withdrawn."""
    with account.change():
        dispute = _still_open(account, dispute)
        if not _is_inquiry(dispute):
            return dispute
        later.forget(account, dispute["id"])
        dispute.update(is_charge_refundable=False, status="needs_response")
        if "payment_method_details" in dispute:
            dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
        dispute_objects.withdraw(dispute)
        account.store.save(dispute)
        events.record(account, "charge.dispute.updated", dispute)
        events.record(account, "charge.dispute.funds_withdrawn", dispute)
        return dispute


def answer(
    account: Account,
    dispute: Json,
    evidence: Json,
    *,
    submit: bool = True,
    metadata: object = None,
    cause: Cause = AUTOMATIC,
) -> Json:
    """Lay down evidence, and with `submit` send it to the bank, which decides after a while if it says what
    https://docs.stripe.com/testing#disputes lists; announces charge.dispute.updated."""
    with account.change():
        dispute = _still_open(account, dispute)
        dispute["evidence"].update(evidence)
        dispute["metadata"] = merged(dispute["metadata"], metadata)
        details = dispute["evidence_details"]
        details["has_evidence"] = any(dispute["evidence"].values())
        if submit and details["has_evidence"]:
            details["submission_count"] += 1
            details["submission_method"] = "manual"
            _let_the_bank_decide(account, dispute)
            dispute["status"] = "warning_under_review" if _is_inquiry(dispute) else "under_review"
        account.store.save(dispute)
        events.record(account, "charge.dispute.updated", dispute, cause)
        return dispute


def decide(account: Account, dispute: Json, verdict: str) -> Json:
    """What the bank was going to say when the evidence came."""
    if verdict == "escalated":
        return escalate(account, dispute)
    return close(account, dispute, won=verdict == "won")


def _let_the_bank_decide(account: Account, dispute: Json) -> None:
    words = str(dispute["evidence"]["uncategorized_text"])
    verdict = _VERDICTS.get(words, (None, None))[_is_inquiry(dispute)]
    if verdict is not None:
        later.decide(account, dispute["id"], "dispute", verdict)


def _still_open(account: Account, dispute: Json) -> Json:
    current = account.store.get("dispute", dispute["id"])
    if current["status"] not in _OPEN:
        raise invalid("This dispute is already closed")
    return current


def _is_inquiry(dispute: Json) -> bool:
    return str(dispute["status"]).startswith("warning_")


def _check_disputable(account: Account, charge: Json) -> None:
    if charge["status"] != "succeeded" or charge["refunded"]:
        raise invalid(f"Charge {charge['id']} did not succeed or was refunded: there is nothing to dispute.")
    if any(one["status"] in _OPEN for one in account.store.children(charge["id"], "dispute")):
        raise invalid(f"Charge {charge['id']} has an open dispute already.", None, "charge_disputed")
