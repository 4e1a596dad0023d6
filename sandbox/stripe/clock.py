"""What happens because time goes by."""

from sandbox.stripe import checkout, debits, disputes, later, refunds
from sandbox.stripe.account import Account


def tick(account: Account) -> None:
    """All whose time has come, that of the time when nobody was here included."""
    checkout.expire_past(account)
    for due in later.due(account):
        with account.change():
            later.forget(account, due.object_id)
            _act(account, due)


def _act(account: Account, due: later.Due) -> None:
    store = account.store
    if due.verb == "debit":
        intent = store.get("payment_intent", due.object_id)
        debits.settle(account, intent, succeeded=due.verdict == "succeeded")
    elif due.verb == "refund":
        refunds.settle(account, store.get("refund", due.object_id), succeeded=due.verdict == "succeeded")
    else:
        disputes.decide(account, store.get("dispute", due.object_id), due.verdict)
