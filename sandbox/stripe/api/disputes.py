"""https://docs.stripe.com/api/disputes"""

from stripe.params import DisputeCloseParams, DisputeListParams, DisputeRetrieveParams, DisputeUpdateParams

from sandbox.stripe import disputes, listing
from sandbox.stripe.api.dispatch import Call, Operation
from sandbox.stripe.api.errors import no_such
from sandbox.stripe.api.schema import PAGING, RANGE
from sandbox.stripe.objects.dispute import TEXTS
from sandbox.stripe.store import Json

ROOT = "/v1/disputes"


def retrieve(call: Call) -> Json:
    dispute = call.account.store.find("dispute", call.path["id"])
    if dispute is None:
        raise no_such("dispute", call.path["id"], "dispute")
    return dispute


def update(call: Call) -> Json:
    evidence = call.params.get("evidence", {})
    return disputes.answer(
        call.account,
        retrieve(call),
        evidence,
        submit=call.params.get("submit", bool(evidence)),
        metadata=call.params.get("metadata"),
        cause=call.cause,
    )


def close(call: Call) -> Json:
    return disputes.close(call.account, retrieve(call), won=False, cause=call.cause)


def list_disputes(call: Call) -> Json:
    return listing.objects(call.account.store, "dispute", call.params, ROOT)


ANSWER = {"evidence": dict.fromkeys(TEXTS), "expand": None, "metadata": None, "submit": None}
FILTERS = {"charge": None, "created": RANGE, "payment_intent": None}
OPERATIONS = (
    Operation("GET", ROOT, DisputeListParams, {**PAGING, **FILTERS}, list_disputes),
    Operation("GET", ROOT + "/{id}", DisputeRetrieveParams, {"expand": None}, retrieve),
    Operation("POST", ROOT + "/{id}", DisputeUpdateParams, ANSWER, update),
    Operation("POST", ROOT + "/{id}/close", DisputeCloseParams, {"expand": None}, close),
)
