"""https://docs.stripe.com/api/charges/object"""

import time
from typing import Literal

from sandbox.stripe.ids import new_id
from sandbox.stripe.scenarios import Scenario
from sandbox.stripe.store import Json

Status = Literal["failed", "pending", "succeeded"]

_AUTHORIZED: Json = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "seller_message": "Payment complete.",
    "type": "authorized",
}


def new_charge(intent: Json, method: Json, status: Status, scenario: Scenario) -> Json:
    """One attempt to get the money, of which a bank debit's is pending at first."""
    failed = status == "failed"
    return {
        "id": new_id("py" if status == "pending" else "ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0 if failed else intent["amount"],
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": None,
        "captured": not failed,
        "created": int(time.time()),
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": scenario.code if failed else None,
        "failure_message": scenario.message if failed else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(scenario) if failed else _AUTHORIZED,
        "paid": status == "succeeded",
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _method_details(intent, method, status, scenario),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer": None,
        "transfer_data": None,
        "transfer_group": None,
    }


def succeed(charge: Json) -> None:
    """A pending one."""
    charge.update(paid=True, status="succeeded")


def fail(charge: Json, scenario: Scenario) -> None:
    """A pending one."""
    charge.update(
        amount_captured=0,
        captured=False,
        failure_code=scenario.code,
        failure_message=scenario.message,
        status="failed",
    )


def refund(charge: Json, amount: int) -> None:
    """Counts it as refunded; a negative amount comes back from a refund that failed."""
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]


def _outcome(scenario: Scenario) -> Json:
    return _AUTHORIZED | {
        "advice_code": "try_again_later",
        "network_status": "declined_by_network",
        "reason": scenario.decline_code,
        "seller_message": "The bank did not accept the payment.",
        "type": "issuer_declined",
    }


def _method_details(intent: Json, method: Json, status: Status, scenario: Scenario) -> Json:
    kind = method["type"]
    details = _card(intent, method, status, scenario) if kind == "card" else _debit(method[kind])
    return {kind: details, "type": kind}


def _card(intent: Json, method: Json, status: Status, scenario: Scenario) -> Json:
    card = method["card"]
    shown = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "wallet",
    )
    return {name: card[name] for name in shown} | {
        "amount_authorized": None if status == "failed" else intent["amount"],
        "installments": None,
        "mandate": None,
        "network": card["brand"],
        "network_token": None,
        "three_d_secure": _authenticated() if scenario.authenticates else None,
    }


def _authenticated() -> Json:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "exemption_indicator_applied": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": new_id("dst"),
        "version": "2.2.0",
    }


def _debit(account: Json) -> Json:
    only_of_the_method = ("financial_connections_account", "generated_from", "networks", "status_details")
    shown = {name: value for name, value in account.items() if name not in only_of_the_method}
    return shown | {"mandate": new_id("mandate")}
