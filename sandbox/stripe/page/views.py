"""The hosted payment page, `/c/pay/<session id>`: what the shopper sees while the shop waits."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.stripe import checkout
from sandbox.stripe.account import Account
from sandbox.stripe.bodies import TooLargeError, read_body
from sandbox.stripe.checkout import Outcome
from sandbox.stripe.page import pages
from sandbox.stripe.page.form import PaymentForm
from sandbox.stripe.store import Json

# Checkout waits this long for the endpoints: https://docs.stripe.com/checkout/fulfillment
REDIRECT_WAIT_SECONDS = 10
MAX_FORM = 20_000


async def show(request: Request) -> Response:
    account: Account = request.app.state.account
    checkout.expire_past(account)
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return pages.missing()
    if session["status"] != "open":
        return pages.closed(account, session)
    return pages.pay(account, session, _blank({"email": session["customer_email"] or ""}, session))


async def submit(request: Request) -> Response:
    account: Account = request.app.state.account
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return pages.missing()
    try:
        fields = await _fields(request)
    except TooLargeError:
        return pages.missing(413)
    if "fill" in fields and session["status"] == "open":
        form = PaymentForm.with_test_data(fields, session["payment_method_types"])
        return pages.pay(account, session, form)
    return await _pay(account, session, _blank(fields, session))


async def ask_bank(request: Request) -> Response:
    account: Account = request.app.state.account
    checkout.expire_past(account)
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return pages.missing()
    intent = checkout.waiting_for_authentication(account, session)
    if intent is None:
        return _to_page(session)
    return pages.ask_bank(account, session, intent)


async def authenticate(request: Request) -> Response:
    account: Account = request.app.state.account
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return pages.missing()
    try:
        passed = (await _fields(request)).get("outcome") == "complete"
    except TooLargeError:
        return pages.missing(413)
    form = _blank(_buyer_of(account, session), session)
    return await _lead_on(account, checkout.authenticate(account, session, passed=passed), form)


async def _fields(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await read_body(request, MAX_FORM)).decode(errors="replace")))


def _blank(fields: Mapping[str, object], session: Json) -> PaymentForm:
    return PaymentForm.of(fields, session["payment_method_types"])


def _buyer_of(account: Account, session: Json) -> dict[str, object]:
    """What is still known of who was sent to the bank, for the form to begin with."""
    intent = checkout.waiting_for_authentication(account, session)
    if intent is None:
        return {}
    billing = account.store.get("payment_method", intent["payment_method"])["billing_details"]
    return {"email": billing["email"], "billingName": billing["name"]}


async def _pay(account: Account, session: Json, form: PaymentForm) -> Response:
    buyer = form.buyer()
    if buyer is not None:
        return await _lead_on(account, checkout.pay(account, session, buyer), form)
    if session["status"] != "open":
        return pages.closed(account, session)
    form.forget_real_numbers()
    return pages.pay(account, session, form, 422)


async def _lead_on(account: Account, outcome: Outcome, form: PaymentForm) -> Response:
    session = outcome.session
    if outcome.authenticate:
        return RedirectResponse(f"/c/pay/{session['id']}/authenticate", 303)
    if outcome.refused:
        form.refuse(outcome.refused)
        return pages.pay(account, session, form, 402)
    if session["status"] == "open":
        return _to_page(session)
    if session["status"] != "complete":
        return pages.closed(account, session)
    for event in account.store.children(session["id"], "event"):
        if event["type"] == "checkout.session.completed":
            await account.post.heard_everywhere(event["id"], REDIRECT_WAIT_SECONDS)
    return RedirectResponse(checkout.success_url(session), 303)


def _to_page(session: Json) -> Response:
    return RedirectResponse(f"/c/pay/{session['id']}", 303)
