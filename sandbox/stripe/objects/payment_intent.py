"""https://docs.stripe.com/api/payment_intents/object"""

import time

from sandbox.stripe.ids import new_id
from sandbox.stripe.objects.metadata import merged
from sandbox.stripe.scenarios import Scenario
from sandbox.stripe.store import Json

_OPTIONS: Json = {
    "card": {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    },
    "us_bank_account": {"verification_method": "automatic"},
}


def new_payment_intent(session: Json, data: Json) -> Json:
    """Waiting for a payment method. `data` is the session's `payment_intent_data`."""
    intent_id = new_id("pi")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_{new_id('secret')}",
        "confirmation_method": "automatic",
        "created": int(time.time()),
        "currency": session["currency"],
        "customer": None,
        "customer_account": None,
        "description": data.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merged({}, data.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {kind: _OPTIONS.get(kind, {}) for kind in session["payment_method_types"]},
        "payment_method_types": session["payment_method_types"],
        "payment_record": None,
        "processing": None,
        "receipt_email": data.get("receipt_email"),
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def require_action(intent: Json, method: Json, url: str, return_url: str) -> None:
    """The shopper has to authenticate at `url` before the bank is asked."""
    intent.update(
        last_payment_error=None,
        next_action={
            "redirect_to_url": {"return_url": return_url, "url": url},
            "type": "redirect_to_url",
        },
        payment_method=method["id"],
        status="requires_action",
    )


def process(intent: Json, charge: Json) -> None:
    """The bank has been asked and will answer later."""
    _attempted(intent, charge, "processing")


def succeed(intent: Json, charge: Json) -> None:
    _attempted(intent, charge, "succeeded")
    intent["amount_received"] = intent["amount"]


def fail(intent: Json, charge: Json, method: Json, scenario: Scenario) -> None:
    """Back to the beginning: another payment method may do."""
    error = _error(scenario.code, scenario.message, method, "card_error")
    if scenario.decline_code is not None:
        error["decline_code"] = scenario.decline_code
    _refuse(intent, error | {"charge": charge["id"]})
    intent["latest_charge"] = charge["id"]


def fail_authentication(intent: Json, method: Json) -> str:
    """Returns what the shopper is told."""
    code = "payment_intent_authentication_failure"
    told = (
        "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new"
        " PaymentMethod to attempt to fulfill this PaymentIntent again."
    )
    _refuse(intent, _error(code, told, method, "invalid_request_error"))
    return (
        "We are unable to authenticate your payment method."
        " Please choose a different payment method and try again."
    )


def cancel(intent: Json) -> None:
    intent.update(
        canceled_at=int(time.time()), cancellation_reason="expired", next_action=None, status="canceled"
    )


def _attempted(intent: Json, charge: Json, status: str) -> None:
    intent.update(
        last_payment_error=None,
        latest_charge=charge["id"],
        next_action=None,
        payment_method=charge["payment_method"],
        status=status,
    )


def _refuse(intent: Json, error: Json) -> None:
    intent.update(
        last_payment_error=error, next_action=None, payment_method=None, status="requires_payment_method"
    )


def _error(code: str | None, message: str, method: Json, kind: str) -> Json:
    return {
        "code": code,
        "doc_url": f"https://stripe.com/docs/error-codes/{str(code).replace('_', '-')}",
        "message": message,
        "payment_method": method,
        "source": None,
        "type": kind,
    }
