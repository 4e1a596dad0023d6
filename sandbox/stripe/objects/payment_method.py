"""https://docs.stripe.com/api/payment_methods/object"""

import hashlib
import time
from dataclasses import dataclass

from sandbox.stripe.bank_accounts import TestAccount, debit_type
from sandbox.stripe.cards import TestCard
from sandbox.stripe.ids import new_id
from sandbox.stripe.store import Json


@dataclass(frozen=True)
class Buyer:
    """What the shopper typed. The number is not kept, nor is the CVC; the expiry is a card's only."""

    email: str
    name: str
    pays_with: TestCard | TestAccount
    exp_month: int = 0
    exp_year: int = 0


def offered(currency: str, allowed: list[str] | None = None) -> list[str]:
    """The kinds that the hosted page takes: cards and a bank debit, or which of them are in `allowed`."""
    kinds = ["card", debit_type(currency.lower())]
    return kinds if allowed is None else [kind for kind in kinds if kind in allowed]


def new_payment_method(buyer: Buyer, currency: str) -> Json:
    kind = "card" if isinstance(buyer.pays_with, TestCard) else debit_type(currency)
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": _billing_details(buyer),
        "created": int(time.time()),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        kind: _details(buyer, kind),
    }


def _billing_details(buyer: Buyer) -> Json:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {"address": address, "email": buyer.email, "name": buyer.name, "phone": None, "tax_id": None}


def _details(buyer: Buyer, kind: str) -> Json:
    means = buyer.pays_with
    if isinstance(means, TestCard):
        return _card(means, buyer)
    common = {"fingerprint": hashlib.sha256(means.iban.encode()).hexdigest()[:16], "last4": means.last4}
    if kind == "us_bank_account":
        return _us_bank_account() | common
    if kind == "bacs_debit":
        return {"sort_code": "108800"} | common
    bank: Json = {"bank_code": means.iban[4:9], "branch_code": "", "country": means.iban[:2]}
    return bank | {"generated_from": {"charge": None, "setup_attempt": None}} | common


def _card(card: TestCard, buyer: Buyer) -> Json:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": buyer.exp_month,
        "exp_year": buyer.exp_year,
        "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
        "funding": "credit",
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _us_bank_account() -> Json:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }
