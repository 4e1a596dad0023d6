"""What can happen to a refund. Each verb is one transaction, or part of the caller's."""

from sandbox.stripe import events, later, money, payments
from sandbox.stripe.account import Account
from sandbox.stripe.amounts import check_whole
from sandbox.stripe.api.errors import invalid
from sandbox.stripe.events import AUTOMATIC, Cause
from sandbox.stripe.objects import charge as charges
from sandbox.stripe.objects import refund as refund_objects
from sandbox.stripe.objects.metadata import merged
from sandbox.stripe.store import Json


def refund(
    account: Account,
    payment: Json,
    amount: int | None = None,
    reason: str | None = None,
    metadata: Json | None = None,
    cause: Cause = AUTOMATIC,
) -> Json:
    """Give back `amount`, in minor units, of a charge or of a PaymentIntent's latest charge; returns it.

    Without an amount: all that is left. `reason` is duplicate, fraudulent or requested_by_customer.
    Announces refund.created and charge.refunded. Raises StripeError with Stripe's own words.
    """
    with account.change():
        charge = _refundable(account, payment)
        left = charge["amount_captured"] - charge["amount_refunded"]
        amount = left if amount is None else amount
        _check_amount(amount, left, charge)
        course = payments.scenario_of(account, charge["payment_method"]).refund
        status = "pending" if course == "pending" else "succeeded"
        made = refund_objects.new_refund(charge, amount, reason, merged({}, metadata), status)
        account.store.insert(made, parent=charge["id"])
        charges.refund(charge, amount)
        account.store.save(charge)
        events.record(account, "refund.created", made, cause)
        events.record(account, "charge.refunded", charge, cause)
        if course != "succeeds":
            later.decide(account, made["id"], "refund", "succeeded" if course == "pending" else "failed")
        return made


def settle(account: Account, refund: Json, *, succeeded: bool) -> bool:
    """The bank's word: a pending refund succeeded, or one that had not failed yet has; False changes nothing.

    Announces refund.updated and charge.refund.updated, and before them refund.failed where it did. Then the
    amount can be refunded again.
    """
    with account.change():
        refund = account.store.get("refund", refund["id"])
        if refund["status"] == "failed" or (succeeded and refund["status"] == "succeeded"):
            return False
        later.forget(account, refund["id"])
        if succeeded:
            refund_objects.succeed(refund)
        else:
            refund_objects.fail(refund)
            charge = account.store.get("charge", refund["charge"])
            charges.refund(charge, -refund["amount"])
            account.store.save(charge)
            events.record(account, "refund.failed", refund)
        account.store.save(refund)
        _announce_update(account, refund)
        return True


def annotate(account: Account, refund: Json, metadata: object, cause: Cause = AUTOMATIC) -> Json:
    """Change the metadata, which is all that can be changed; announces as `settle` does."""
    with account.change():
        refund["metadata"] = merged(refund["metadata"], metadata)
        account.store.save(refund)
        _announce_update(account, refund, cause)
        return refund


def _announce_update(account: Account, refund: Json, cause: Cause = AUTOMATIC) -> None:
    events.record(account, "refund.updated", refund, cause)
    events.record(account, "charge.refund.updated", refund, cause)


def _refundable(account: Account, payment: Json) -> Json:
    """The charge as it is in this transaction."""
    intent_id = payment["id"] if payment["object"] == "payment_intent" else payment["payment_intent"]
    charge_id = payment["latest_charge"] if payment["object"] == "payment_intent" else payment["id"]
    charge = account.store.find("charge", charge_id or "")
    if charge is None or charge["status"] != "succeeded":
        raise invalid(f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.")
    if charge["refunded"]:
        text = f"Charge {charge['id']} has already been refunded."
        raise invalid(text, None, "charge_already_refunded")
    if any(not one["is_charge_refundable"] for one in account.store.children(charge["id"], "dispute")):
        text = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise invalid(text, None, "charge_disputed")
    return charge


def _check_amount(amount: int, left: int, charge: Json) -> None:
    if amount < 1:
        text = "This value must be greater than or equal to 1."
        raise invalid(text, "amount", "parameter_invalid_integer")
    if amount > left:
        wanted, rest = (money.show(one, charge["currency"]) for one in (amount, left))
        text = f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({rest})"
        raise invalid(text, "amount")
    check_whole(amount, charge["currency"], "amount")
