"""What can happen to a PaymentIntent, inside the transaction of the verb that makes it happen."""

from sandbox.stripe import disputes, events, later
from sandbox.stripe.account import Account
from sandbox.stripe.objects import charge as charges
from sandbox.stripe.objects import payment_intent as intents
from sandbox.stripe.scenarios import Scenario
from sandbox.stripe.store import Json


def attempt(account: Account, intent: Json, method: Json) -> Json:
    """Try to get the money; returns the charge, which a bank debit leaves pending.

    Announces charge.pending and payment_intent.processing, or what `succeed` or `fail` does.
    """
    scenario = scenario_of(account, method["id"])
    debit = method["type"] != "card"
    status: charges.Status = "pending" if debit else "succeeded" if scenario.code is None else "failed"
    charge = charges.new_charge(intent, method, status, scenario)
    account.store.insert(charge, parent=intent["id"])
    if status == "pending":
        intents.process(intent, charge)
        _save(account, intent, charge)
        events.record(account, "charge.pending", charge)
        events.record(account, "payment_intent.processing", intent)
        later.decide(account, intent["id"], "debit", "succeeded" if scenario.code is None else "failed")
    elif status == "failed":
        fail(account, intent, charge, scenario)
    else:
        succeed(account, intent, charge)
    return charge


def succeed(account: Account, intent: Json, charge: Json) -> None:
    """Announces charge.succeeded, the dispute that the test card asks for, and payment_intent.succeeded."""
    intents.succeed(intent, charge)
    _save(account, intent, charge)
    events.record(account, "charge.succeeded", charge)
    scenario = scenario_of(account, charge["payment_method"])
    if scenario.dispute is not None:
        disputes.open_dispute(account, charge, scenario.dispute, inquiry=scenario.inquiry)
    events.record(account, "payment_intent.succeeded", intent)


def fail(account: Account, intent: Json, charge: Json, scenario: Scenario) -> None:
    """Announces charge.failed and payment_intent.payment_failed; the intent waits for another method."""
    method = account.store.get("payment_method", charge["payment_method"])
    intents.fail(intent, charge, method, scenario)
    _save(account, intent, charge)
    events.record(account, "charge.failed", charge)
    events.record(account, "payment_intent.payment_failed", intent)


def require_action(account: Account, intent: Json, method: Json, url: str, return_url: str) -> None:
    """Announces payment_intent.requires_action."""
    intents.require_action(intent, method, url, return_url)
    account.store.save(intent)
    events.record(account, "payment_intent.requires_action", intent)


def fail_authentication(account: Account, intent: Json, method: Json) -> str:
    """Announces payment_intent.payment_failed; returns what the shopper is told."""
    told = intents.fail_authentication(intent, method)
    account.store.save(intent)
    events.record(account, "payment_intent.payment_failed", intent)
    return told


def scenario_of(account: Account, method_id: str) -> Scenario:
    return Scenario(**account.store.private(method_id))


def _save(account: Account, intent: Json, charge: Json) -> None:
    account.store.save(intent)
    account.store.save(charge)
