"""https://docs.stripe.com/api/payment_intents, …/charges and …/payment_methods"""

from stripe.params import (
    ChargeListParams,
    ChargeRetrieveParams,
    PaymentIntentListParams,
    PaymentIntentRetrieveParams,
    PaymentMethodRetrieveParams,
)

from sandbox.stripe import listing
from sandbox.stripe.api.dispatch import Call, Operation
from sandbox.stripe.api.errors import no_such
from sandbox.stripe.api.schema import PAGING, RANGE
from sandbox.stripe.store import Json

INTENTS, CHARGES, METHODS = "/v1/payment_intents", "/v1/charges", "/v1/payment_methods"
EXPAND = {"expand": None}


def retrieve_payment_intent(call: Call) -> Json:
    return _retrieve(call, "payment_intent", "intent")


def list_payment_intents(call: Call) -> Json:
    return listing.objects(call.account.store, "payment_intent", call.params, INTENTS)


def retrieve_charge(call: Call) -> Json:
    return _retrieve(call, "charge", "id")


def list_charges(call: Call) -> Json:
    return listing.objects(call.account.store, "charge", call.params, CHARGES)


def retrieve_payment_method(call: Call) -> Json:
    return _retrieve(call, "payment_method", "payment_method")


def _retrieve(call: Call, kind: str, param: str) -> Json:
    obj = call.account.store.find(kind, call.path["id"])
    if obj is None:
        raise no_such(kind, call.path["id"], param)
    return obj


OF_CHARGES = {**PAGING, "created": RANGE, "payment_intent": None}
OPERATIONS = (
    Operation("GET", INTENTS, PaymentIntentListParams, {**PAGING, "created": RANGE}, list_payment_intents),
    Operation("GET", INTENTS + "/{id}", PaymentIntentRetrieveParams, EXPAND, retrieve_payment_intent),
    Operation("GET", CHARGES, ChargeListParams, OF_CHARGES, list_charges),
    Operation("GET", CHARGES + "/{id}", ChargeRetrieveParams, EXPAND, retrieve_charge),
    Operation("GET", METHODS + "/{id}", PaymentMethodRetrieveParams, EXPAND, retrieve_payment_method),
)
