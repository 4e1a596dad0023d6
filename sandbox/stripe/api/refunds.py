"""https://docs.stripe.com/api/refunds"""

from stripe.params import (
    RefundCancelParams,
    RefundCreateParams,
    RefundListParams,
    RefundRetrieveParams,
    RefundUpdateParams,
)

from sandbox.stripe import listing, refunds
from sandbox.stripe.account import Account
from sandbox.stripe.api.dispatch import Call, Operation
from sandbox.stripe.api.errors import invalid, no_such
from sandbox.stripe.api.schema import PAGING, RANGE
from sandbox.stripe.store import Json

ROOT = "/v1/refunds"


def create(call: Call) -> Json:
    get = call.params.get
    return refunds.refund(
        call.account, _payment(call), get("amount"), get("reason"), get("metadata"), call.cause
    )


def retrieve(call: Call) -> Json:
    refund = call.account.store.find("refund", call.path["id"])
    if refund is None:
        raise no_such("refund", call.path["id"], "refund")
    return refund


def update(call: Call) -> Json:
    return refunds.annotate(call.account, retrieve(call), call.params.get("metadata"), call.cause)


def cancel(call: Call) -> Json:
    """Only a refund that waits for the customer can be canceled; those of cards and debits do not wait."""
    retrieve(call)
    raise invalid("Canceling this refund is unsupported.")


def list_refunds(call: Call) -> Json:
    return listing.objects(call.account.store, "refund", call.params, ROOT)


def check(_account: Account, params: Json) -> None:
    if "charge" not in params and "payment_intent" not in params:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge."
        )


def _payment(call: Call) -> Json:
    for kind, param in (("charge", "id"), ("payment_intent", "payment_intent")):
        if kind in call.params:
            payment = call.account.store.find(kind, call.params[kind])
            if payment is None:
                raise no_such(kind, call.params[kind], param)
            return payment
    raise LookupError


GIVEN = dict.fromkeys(("amount", "charge", "expand", "metadata", "payment_intent", "reason"))
FILTERS = {"charge": None, "created": RANGE, "payment_intent": None}
OPERATIONS = (
    Operation("POST", ROOT, RefundCreateParams, GIVEN, create, check),
    Operation("GET", ROOT, RefundListParams, {**PAGING, **FILTERS}, list_refunds),
    Operation("GET", ROOT + "/{id}", RefundRetrieveParams, {"expand": None}, retrieve),
    Operation("POST", ROOT + "/{id}", RefundUpdateParams, {"expand": None, "metadata": None}, update),
    Operation("POST", ROOT + "/{id}/cancel", RefundCancelParams, {"expand": None}, cancel),
)
