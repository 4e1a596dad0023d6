"""Bank debits: what the bank says some time after the shopper has gone."""

from sandbox.stripe import events, later, payments
from sandbox.stripe.account import Account
from sandbox.stripe.bank_accounts import FAILURE
from sandbox.stripe.objects import charge as charges
from sandbox.stripe.store import Json


def settle(account: Account, intent: Json, *, succeeded: bool) -> bool:
    """The bank's word on a PaymentIntent that is processing; False for any other, which stays as it is.

    Announces what a card payment announces, and then checkout.session.async_payment_succeeded, with a
    session that is paid, or .async_payment_failed, with one that stays complete and unpaid for good.
    """
    with account.change():
        intent = account.store.get("payment_intent", intent["id"])
        if intent["status"] != "processing":
            return False
        later.forget(account, intent["id"])
        charge = account.store.get("charge", intent["latest_charge"])
        if succeeded:
            charges.succeed(charge)
            payments.succeed(account, intent, charge)
        else:
            own = payments.scenario_of(account, charge["payment_method"])
            scenario = FAILURE if own.code is None else own
            charges.fail(charge, scenario)
            payments.fail(account, intent, charge, scenario)
        _tell_session(account, intent, succeeded)
        return True


def _tell_session(account: Account, intent: Json, succeeded: bool) -> None:
    session = account.store.get("checkout.session", account.store.parent(intent["id"]))
    if succeeded:
        session["payment_status"] = "paid"
        account.store.save(session)
    outcome = "succeeded" if succeeded else "failed"
    events.record(account, f"checkout.session.async_payment_{outcome}", session)
