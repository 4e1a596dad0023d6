"""https://docs.stripe.com/api/payment_intents and https://docs.stripe.com/api/charges"""

from stripe.params import ChargeRetrieveParams, PaymentIntentRetrieveParams

from sandbox.stripe.api.dispatch import Call, Operation
from sandbox.stripe.api.errors import no_such
from sandbox.stripe.store import Json


def retrieve_payment_intent(call: Call) -> Json:
    return _retrieve(call, "payment_intent")


def retrieve_charge(call: Call) -> Json:
    return _retrieve(call, "charge")


def _retrieve(call: Call, kind: str) -> Json:
    obj = call.account.store.find(kind, call.path["id"])
    if obj is None:
        raise no_such(kind, call.path["id"], "id" if kind == "charge" else "intent")
    return obj


EXPAND = {"expand": None}
OPERATIONS = (
    Operation(
        "GET", "/v1/payment_intents/{id}", PaymentIntentRetrieveParams, EXPAND, retrieve_payment_intent
    ),
    Operation("GET", "/v1/charges/{id}", ChargeRetrieveParams, EXPAND, retrieve_charge),
)
