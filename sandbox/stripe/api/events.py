"""https://docs.stripe.com/api/events"""

from stripe.params import EventListParams, EventRetrieveParams

from sandbox.stripe import events, listing
from sandbox.stripe.account import Account
from sandbox.stripe.api.dispatch import Call, Operation
from sandbox.stripe.api.errors import invalid, no_such
from sandbox.stripe.api.schema import PAGING, RANGE
from sandbox.stripe.store import Json


def retrieve(call: Call) -> Json:
    event = events.find(call.account.store, call.path["id"])
    if event is None:
        raise no_such("event", call.path["id"])
    return event


def list_events(call: Call) -> Json:
    store = call.account.store
    page = listing.events(store, call.params)
    return {**page, "data": [events.shown(store, event) for event in page["data"]]}


def check_list(_account: Account, params: Json) -> None:
    if "type" in params and "types" in params:
        raise invalid("You may only specify one of these parameters: type, types.", "types")
    if len(params.get("types", [])) > 20:
        raise invalid("You may specify up to 20 types.", "types")


FILTERS = {"created": RANGE, "delivery_success": None, "type": None, "types": None}
OPERATIONS = (
    Operation("GET", "/v1/events", EventListParams, {**PAGING, **FILTERS}, list_events, check_list),
    Operation("GET", "/v1/events/{id}", EventRetrieveParams, {"expand": None}, retrieve),
)
