"""https://docs.stripe.com/api/refunds/object"""

import time

from sandbox.stripe.ids import new_id
from sandbox.stripe.store import Json


def new_refund(charge: Json, amount: int, reason: str | None, metadata: Json, status: str) -> Json:
    """`status` is succeeded or pending. What Stripe leaves out while it has no value is left out."""
    kind = charge["payment_method_details"]["type"]
    refund: Json = {
        "id": new_id("re" if kind == "card" else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": int(time.time()),
        "currency": charge["currency"],
        "customer": None,
        "customer_account": None,
        "destination_details": {kind: {}, "type": kind},
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }
    if kind == "card":
        refund["destination_details"]["card"] = {
            "reference_status": "pending",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
    if status == "pending":
        refund["pending_reason"] = "processing"
    return refund


def succeed(refund: Json) -> None:
    refund.pop("pending_reason", None)
    refund["status"] = "succeeded"


def fail(refund: Json) -> None:
    refund.pop("pending_reason", None)
    refund.update(
        failure_balance_transaction=None, failure_reason="expired_or_canceled_card", status="failed"
    )
