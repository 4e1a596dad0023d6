"""https://docs.stripe.com/api/checkout/sessions"""

from stripe.params.checkout import (
    SessionCreateParams,
    SessionExpireParams,
    SessionListLineItemsParams,
    SessionListParams,
    SessionRetrieveParams,
)

from sandbox.stripe import checkout, listing
from sandbox.stripe.api import session_params
from sandbox.stripe.api.dispatch import Call, Operation
from sandbox.stripe.api.errors import invalid, no_such
from sandbox.stripe.api.schema import PAGING, RANGE
from sandbox.stripe.store import Json


def create(call: Call) -> Json:
    return checkout.open_session(call.account, call.params)


def retrieve(call: Call) -> Json:
    session = call.account.store.find("checkout.session", call.path["id"])
    if session is None:
        raise no_such("checkout.session", call.path["id"])
    return session


def list_sessions(call: Call) -> Json:
    return listing.sessions(call.account.store, call.params)


def list_line_items(call: Call) -> Json:
    return listing.line_items(call.account.store, retrieve(call)["id"], call.params)


def expire(call: Call) -> Json:
    session = retrieve(call)
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired.'
            f" This Checkout Session has a status of `{session['status']}`."
        )
    return checkout.expire(call.account, session, call.cause)


ROOT = "/v1/checkout/sessions"
FILTERS = {"created": RANGE, "customer_details": {"email": None}, "payment_intent": None, "status": None}
OPERATIONS = (
    Operation("POST", ROOT, SessionCreateParams, session_params.SUPPORTED, create, session_params.check),
    Operation("GET", ROOT, SessionListParams, {**PAGING, **FILTERS}, list_sessions),
    Operation("GET", ROOT + "/{id}", SessionRetrieveParams, {"expand": None}, retrieve),
    Operation("GET", ROOT + "/{id}/line_items", SessionListLineItemsParams, PAGING, list_line_items),
    Operation("POST", ROOT + "/{id}/expire", SessionExpireParams, {"expand": None}, expire),
)
