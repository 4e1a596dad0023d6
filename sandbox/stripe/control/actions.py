"""What the buttons of the control page do. Each returns what it changed, as `overview` shows it."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.stripe import debits, disputes, endpoints, events, ledger, refunds
from sandbox.stripe.account import Account
from sandbox.stripe.api.errors import invalid, no_such
from sandbox.stripe.chaos import Chaos, Rates
from sandbox.stripe.control import overview
from sandbox.stripe.control.typed import minor_units
from sandbox.stripe.store import Json


@dataclass(frozen=True)
class Call:
    """A pressed button: what it is about, and what was filled in beside it."""

    account: Account
    chaos: Chaos
    id: str
    fields: Json


def change_chaos(call: Call) -> Json:
    """What is not named stays as it is."""
    call.chaos.change(call.chaos.rates.but(call.fields))
    return overview.chaos(call.chaos)


def calm_chaos(call: Call) -> Json:
    call.chaos.change(Rates())
    return overview.chaos(call.chaos)


def enable_endpoint(call: Call) -> Json:
    return _switch(call, "enabled")


def disable_endpoint(call: Call) -> Json:
    return _switch(call, "disabled")


def roll_secret(call: Call) -> Json:
    endpoint = _endpoint(call)
    with call.account.change():
        endpoints.roll_secret(call.account.store, endpoint["id"])
    return overview.endpoint(call.account.store, endpoint)


def expire_old_secrets(call: Call) -> Json:
    endpoint = _endpoint(call)
    with call.account.change():
        endpoints.expire_old_secrets(call.account.store, endpoint["id"])
    return overview.endpoint(call.account.store, endpoint)


def send_again(call: Call) -> Json:
    """To every endpoint that is switched on, or to the one whose address is given as `url`."""
    store = call.account.store
    event = events.find(store, call.id)
    if event is None:
        raise no_such("event", call.id)
    urls = [one["url"] for one in endpoints.every(store) if one["status"] == "enabled"]
    urls = [url for url in urls if url == call.fields.get("url", url)]
    if not urls:
        raise invalid("No such endpoint is switched on: nothing was sent.", "url")
    with call.account.change():
        ledger.send_again(store, event["id"], urls)
    return overview.event(store, event)


def refund(call: Call) -> Json:
    """`amount` is a number of minor units, or text as a person types it; without it, all that is left."""
    charge, given = _charge(call), call.fields.get("amount")
    amount = None if given in (None, "") else minor_units(given, charge["currency"])
    refunds.refund(call.account, charge, amount)
    return _payment(call)


def open_dispute(call: Call) -> Json:
    disputes.open_dispute(call.account, _charge(call))
    return _payment(call)


def win_dispute(call: Call) -> Json:
    return _close_dispute(call, won=True)


def lose_dispute(call: Call) -> Json:
    return _close_dispute(call, won=False)


def succeed_debit(call: Call) -> Json:
    return _settle_debit(call, succeeded=True)


def fail_debit(call: Call) -> Json:
    return _settle_debit(call, succeeded=False)


def _settle_debit(call: Call, *, succeeded: bool) -> Json:
    """Now instead of some seconds later."""
    intent = call.account.store.get("payment_intent", _charge(call)["payment_intent"])
    if not debits.settle(call.account, intent, succeeded=succeeded):
        raise invalid("This payment waits for no bank.")
    return _payment(call)


def _close_dispute(call: Call, *, won: bool) -> Json:
    every = call.account.store.children(_charge(call)["id"], "dispute")
    if not every:
        raise invalid("Nobody disputes this payment.")
    disputes.close(call.account, every[-1], won=won)
    return _payment(call)


def _charge(call: Call) -> Json:
    charge = call.account.store.find("charge", call.id)
    if charge is None:
        raise no_such("charge", call.id)
    return charge


def _payment(call: Call) -> Json:
    return overview.payment(call.account.store, _charge(call))


def _switch(call: Call, status: str) -> Json:
    endpoint = _endpoint(call)
    with call.account.change():
        endpoints.switch(call.account.store, endpoint, status)
    return overview.endpoint(call.account.store, _endpoint(call))


def _endpoint(call: Call) -> Json:
    endpoint = call.account.store.find(endpoints.KIND, call.id)
    if endpoint is None:
        raise invalid(f"No such webhook endpoint: '{call.id}'", "id", "resource_missing", 404)
    return endpoint


ACTIONS: dict[str, Callable[[Call], Json]] = {
    "/control/chaos": change_chaos,
    "/control/chaos/off": calm_chaos,
    "/control/endpoints/{id}/enable": enable_endpoint,
    "/control/endpoints/{id}/disable": disable_endpoint,
    "/control/endpoints/{id}/roll-secret": roll_secret,
    "/control/endpoints/{id}/expire-old-secrets": expire_old_secrets,
    "/control/events/{id}/send-again": send_again,
    "/control/payments/{id}/refund": refund,
    "/control/payments/{id}/dispute": open_dispute,
    "/control/payments/{id}/succeed": succeed_debit,
    "/control/payments/{id}/fail": fail_debit,
    "/control/payments/{id}/win-dispute": win_dispute,
    "/control/payments/{id}/lose-dispute": lose_dispute,
}
