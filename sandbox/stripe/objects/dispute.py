"""https://docs.stripe.com/api/disputes/object"""

import time

from sandbox.stripe.ids import new_id
from sandbox.stripe.store import Json

# The bank wants an answer by the end of the day that is this many days away.
ANSWER_DAYS = 8
TEXTS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
)
_FILES = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)
_NETWORK_CODES = {"fraudulent": "10.4", "product_not_received": "13.1"}


def new_dispute(charge: Json, reason: str, inquiry: bool) -> Json:
    """Of what is left of a charge; the money is still there (`withdraw`)."""
    now = int(time.time())
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": charge["amount"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(TEXTS + _FILES), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": (now // 86400 + 1 + ANSWER_DAYS) * 86400 - 1,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        **_payment_method_details(charge, reason, inquiry),
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def withdraw(dispute: Json) -> None:
    dispute["balance_transactions"].append(_move(dispute, -dispute["amount"], "withdrawal", "dispute"))


def reinstate(dispute: Json) -> None:
    dispute["balance_transactions"].append(_move(dispute, dispute["amount"], "reversal", "dispute_reversal"))


def _payment_method_details(charge: Json, reason: str, inquiry: bool) -> Json:
    """Of cards only."""
    card = charge["payment_method_details"].get("card")
    if card is None:
        return {}
    details = {
        "brand": card["brand"],
        "case_type": "inquiry" if inquiry else "chargeback",
        "network": card["network"],
        "network_reason_code": _NETWORK_CODES.get(reason),
    }
    return {"payment_method_details": {"card": details, "type": "card"}}


def _move(dispute: Json, amount: int, what: str, category: str) -> Json:
    """https://docs.stripe.com/api/balance_transactions/object; we charge no fee."""
    now = int(time.time())
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now,
        "balance_type": "payments",
        "created": now,
        "currency": dispute["currency"],
        "description": f"Chargeback {what} for {dispute['charge']}",
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": category,
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }
