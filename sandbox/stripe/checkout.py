"""What can happen to a Checkout Session. Each verb is one transaction and the only writer of its fields."""

import time
from dataclasses import dataclass

from sandbox.stripe import events, payments
from sandbox.stripe.account import Account
from sandbox.stripe.events import AUTOMATIC, Cause
from sandbox.stripe.objects import payment_intent as intents
from sandbox.stripe.objects.line_item import new_line_item, new_product
from sandbox.stripe.objects.payment_method import Buyer, new_payment_method, offered
from sandbox.stripe.objects.session import customer_details, new_session
from sandbox.stripe.store import Json


@dataclass(frozen=True)
class Outcome:
    """What the pay button led to: the session as it is now, and what has to be told or done before it is
    complete, if anything has: why the payment was refused, or that the shopper must authenticate."""

    session: Json
    refused: str = ""
    authenticate: bool = False


def open_session(account: Account, params: Json) -> Json:
    """Runs inside the caller's transaction, beside the answer that its idempotency key stores."""
    now = int(time.time())
    currency = params["line_items"][0]["price_data"]["currency"].lower()
    total = sum(item["price_data"]["unit_amount"] * item["quantity"] for item in params["line_items"])
    config = account.config
    kinds = offered(currency, params.get("allowed_payment_method_types"))
    params = {**params, "payment_method_types": kinds}
    session = new_session(params, total, currency, now, config.base_url, config.business_name)
    account.store.insert(session, private={"payment_intent_data": params.get("payment_intent_data", {})})
    for item in params["line_items"]:
        data = item["price_data"]
        product = account.store.insert(new_product(data["product_data"], now), parent=session["id"])
        line = new_line_item(
            product, data["unit_amount"], currency, item["quantity"], item.get("metadata", {})
        )
        account.store.insert(line, parent=session["id"])
    return session


def pay(account: Account, session: Json, buyer: Buyer) -> Outcome:
    """Announces payment_intent.created and what `payments` does with it, and at last the completion.

    A session that is no longer open is returned as it is: two tabs and a double click pay once.
    """
    with account.change():
        session = _fresh(account, session)
        if session["status"] != "open":
            return Outcome(session)
        intent = _intent(account, session)
        method = new_payment_method(buyer, session["currency"])
        account.store.insert(method, parent=intent["id"], private=buyer.pays_with.kept())
        if buyer.pays_with.authenticates:
            page = f"{session['url']}/authenticate"
            payments.require_action(account, intent, method, page, success_url(session))
            return Outcome(session, authenticate=True)
        return _attempt(account, session, intent, method)


def authenticate(account: Account, session: Json, *, passed: bool) -> Outcome:
    """The shopper's bank knows now who pays, or does not: goes on where `pay` stopped."""
    with account.change():
        session = _fresh(account, session)
        intent = waiting_for_authentication(account, session)
        if intent is None:
            return Outcome(session)
        method = account.store.get("payment_method", intent["payment_method"])
        if not passed:
            return Outcome(session, payments.fail_authentication(account, intent, method))
        return _attempt(account, session, intent, method)


def waiting_for_authentication(account: Account, session: Json) -> Json | None:
    """The PaymentIntent of an open session, if that is what it waits for."""
    intent = account.store.find("payment_intent", session["payment_intent"] or "")
    waits = intent is not None and intent["status"] == "requires_action"
    return intent if waits and session["status"] == "open" else None


def success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def expire(account: Account, session: Json, cause: Cause = AUTOMATIC) -> Json:
    """Inside the caller's transaction; announces checkout.session.expired. Only an open session changes."""
    if session["status"] != "open":
        return session
    session.update(status="expired", url=None)
    account.store.save(session)
    intent = account.store.find("payment_intent", session["payment_intent"] or "")
    if intent is not None:
        intents.cancel(intent)
        account.store.save(intent)
        events.record(account, "payment_intent.canceled", intent, cause)
    events.record(account, "checkout.session.expired", session, cause)
    return session


def expire_past(account: Account) -> None:
    """The sessions whose time is over, those of the time when nobody was here included."""
    past = account.store.sessions_past(time.time())
    if not past:
        return
    with account.change():
        for session_id in past:
            expire(account, account.store.get("checkout.session", session_id))


def _fresh(account: Account, session: Json) -> Json:
    """As it is inside this transaction, and expired if its time has passed without anybody noticing."""
    current = account.store.get("checkout.session", session["id"])
    return expire(account, current) if current["expires_at"] <= time.time() else current


def _intent(account: Account, session: Json) -> Json:
    existing = account.store.find("payment_intent", session["payment_intent"] or "")
    if existing is not None:
        return existing
    data = account.store.private(session["id"])["payment_intent_data"]
    intent = account.store.insert(intents.new_payment_intent(session, data), parent=session["id"])
    session["payment_intent"] = intent["id"]
    account.store.save(session)
    events.record(account, "payment_intent.created", intent)
    return intent


def _attempt(account: Account, session: Json, intent: Json, method: Json) -> Outcome:
    charge = payments.attempt(account, intent, method)
    if charge["status"] == "failed":
        return Outcome(session, charge["failure_message"])
    _complete(account, session, method["billing_details"], paid=charge["paid"])
    return Outcome(session)


def _complete(account: Account, session: Json, billing: Json, *, paid: bool) -> None:
    session.update(
        collected_information={"business_name": None, "individual_name": None, "shipping_details": None},
        customer_details=customer_details(billing["email"], billing["name"]),
        payment_status="paid" if paid else "unpaid",
        status="complete",
        url=None,
    )
    account.store.save(session)
    events.record(account, "checkout.session.completed", session)
