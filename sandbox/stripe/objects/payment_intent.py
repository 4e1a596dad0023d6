"""https://docs.stripe.com/api/payment_intents/object"""

import time

from sandbox.stripe.cards import TestCard
from sandbox.stripe.ids import new_id
from sandbox.stripe.store import Json


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
        "metadata": data.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
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


def succeed(intent: Json, charge: Json) -> None:
    intent.update(
        amount_received=intent["amount"],
        last_payment_error=None,
        latest_charge=charge["id"],
        payment_method=charge["payment_method"],
        status="succeeded",
    )


def decline(intent: Json, charge: Json, card: TestCard) -> None:
    intent.update(
        last_payment_error={
            "charge": charge["id"],
            "code": card.code,
            "decline_code": card.decline_code,
            "doc_url": "https://stripe.com/docs/error-codes/card-declined",
            "message": card.message,
            "source": None,
            "type": "card_error",
        },
        latest_charge=charge["id"],
    )


def cancel(intent: Json) -> None:
    intent.update(canceled_at=int(time.time()), cancellation_reason="expired", status="canceled")
