"""https://docs.stripe.com/api/charges/object"""

import time
from dataclasses import dataclass

from sandbox.stripe.cards import TestCard
from sandbox.stripe.ids import new_id
from sandbox.stripe.store import Json


@dataclass(frozen=True)
class Buyer:
    """What the shopper typed, without the number and the CVC: those are never kept."""

    email: str
    name: str
    card: TestCard
    exp_month: int
    exp_year: int


def new_charge(intent: Json, buyer: Buyer) -> Json:
    """One attempt on a card, succeeded or failed as the test card says."""
    declined = buyer.card.code is not None
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0 if declined else intent["amount"],
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": _billing_details(buyer),
        "calculated_statement_descriptor": None,
        "captured": not declined,
        "created": int(time.time()),
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": buyer.card.code,
        "failure_message": buyer.card.message or None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(buyer.card),
        "paid": not declined,
        "payment_intent": intent["id"],
        "payment_method": new_id("pm"),
        "payment_method_details": {"card": _card(intent, buyer), "type": "card"},
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
        "status": "failed" if declined else "succeeded",
        "transfer": None,
        "transfer_data": None,
        "transfer_group": None,
    }


def _billing_details(buyer: Buyer) -> Json:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {"address": address, "email": buyer.email, "name": buyer.name, "phone": None, "tax_id": None}


def _outcome(card: TestCard) -> Json:
    declined = card.code is not None
    return {
        "advice_code": "try_again_later" if declined else None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if declined else "approved_by_network",
        "reason": card.decline_code,
        "risk_level": "normal",
        "seller_message": "The bank did not accept the payment." if declined else "Payment complete.",
        "type": "issuer_declined" if declined else "authorized",
    }


def _card(intent: Json, buyer: Buyer) -> Json:
    return {
        "amount_authorized": None if buyer.card.code else intent["amount"],
        "brand": buyer.card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": buyer.exp_month,
        "exp_year": buyer.exp_year,
        "funding": "credit",
        "installments": None,
        "last4": buyer.card.last4,
        "mandate": None,
        "network": buyer.card.brand,
        "network_token": None,
        "three_d_secure": None,
        "wallet": None,
    }
