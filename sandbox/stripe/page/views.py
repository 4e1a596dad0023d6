"""The hosted payment page, `/c/pay/<session id>`: what the shopper sees while the shop waits."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sandbox.stripe import checkout, money
from sandbox.stripe.account import Account
from sandbox.stripe.bank_accounts import ACCOUNTS
from sandbox.stripe.bodies import TooLargeError, read_body
from sandbox.stripe.cards import CARDS
from sandbox.stripe.checkout import Outcome
from sandbox.stripe.page.form import PaymentForm
from sandbox.stripe.store import Json

# Checkout waits this long for the endpoints: https://docs.stripe.com/checkout/fulfillment
REDIRECT_WAIT_SECONDS = 10
MAX_FORM = 20_000
BUTTONS = {"book": "Book", "donate": "Donate"}
HEADERS = {
    # form-action stays open: browsers apply it to the redirect to the shop, and on to wherever that leads.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " img-src 'self' http: https: data:; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)


async def show(request: Request) -> Response:
    account: Account = request.app.state.account
    checkout.expire_past(account)
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return missing()
    if session["status"] != "open":
        return _closed(account, session)
    return _form(account, session, _blank({"email": session["customer_email"] or ""}, session))


async def submit(request: Request) -> Response:
    account: Account = request.app.state.account
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return missing()
    try:
        fields = await _fields(request)
    except TooLargeError:
        return _page("missing.html", 413)
    if "fill" in fields and session["status"] == "open":
        return _form(account, session, PaymentForm.with_test_data(fields, session["payment_method_types"]))
    return await _pay(account, session, _blank(fields, session))


async def ask_bank(request: Request) -> Response:
    """Where a bank would ask its customer: 3-D Secure."""
    account: Account = request.app.state.account
    checkout.expire_past(account)
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return missing()
    intent = checkout.waiting_for_authentication(account, session)
    if intent is None:
        return _to_page(session)
    card = account.store.get("payment_method", intent["payment_method"])["card"]
    total = _money(session, session["amount_total"])
    return _page("authenticate.html", 200, business=_business(session), last4=card["last4"], total=total)


async def authenticate(request: Request) -> Response:
    account: Account = request.app.state.account
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return missing()
    try:
        passed = (await _fields(request)).get("outcome") == "complete"
    except TooLargeError:
        return _page("missing.html", 413)
    form = _blank(_buyer_of(account, session), session)
    return await _lead_on(account, checkout.authenticate(account, session, passed=passed), form)


def missing() -> Response:
    return _page("missing.html", 404)


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
    if buyer is None:
        form.forget_real_numbers()
        return (
            _form(account, session, form, 422) if session["status"] == "open" else _closed(account, session)
        )
    return await _lead_on(account, checkout.pay(account, session, buyer), form)


async def _lead_on(account: Account, outcome: Outcome, form: PaymentForm) -> Response:
    session = outcome.session
    if outcome.authenticate:
        return RedirectResponse(f"/c/pay/{session['id']}/authenticate", 303)
    if outcome.refused:
        form.refuse(outcome.refused)
        return _form(account, session, form, 402)
    if session["status"] == "open":
        return _to_page(session)
    if session["status"] != "complete":
        return _closed(account, session)
    for event in account.store.children(session["id"], "event"):
        if event["type"] == "checkout.session.completed":
            await account.post.heard_everywhere(event["id"], REDIRECT_WAIT_SECONDS)
    return RedirectResponse(checkout.success_url(session), 303)


def _to_page(session: Json) -> Response:
    return RedirectResponse(f"/c/pay/{session['id']}", 303)


def _form(account: Account, session: Json, form: PaymentForm, status: int = 200) -> Response:
    return _page(
        "pay.html",
        status,
        business=_business(session),
        button=BUTTONS.get(session["submit_type"], "Pay"),
        accounts=ACCOUNTS,
        cards=CARDS,
        form=form,
        items=[_item(account, session, item) for item in account.store.children(session["id"], "item")],
        session=session,
        test_values=PaymentForm.with_test_data({}, session["payment_method_types"]).values,
        total=_money(session, session["amount_total"]),
    )


def _item(account: Account, session: Json, item: Json) -> Json:
    product = account.store.get("product", item["price"]["product"])
    return {
        "name": product["name"],
        "description": product["description"],
        "image": next(iter(product["images"]), None),
        "quantity": item["quantity"],
        "unit": _money(session, item["price"]["unit_amount"]),
        "total": _money(session, item["amount_total"]),
    }


def _closed(account: Account, session: Json) -> Response:
    """A session that is over keeps its address, as a page that says so and leads back."""
    state = _state(account, session)
    return _page(
        "closed.html",
        410 if state == "expired" else 200,
        business=_business(session),
        state=state,
        back=session["cancel_url"] if state == "expired" else checkout.success_url(session),
        total=_money(session, session["amount_total"]),
    )


def _state(account: Account, session: Json) -> str:
    """Expired or paid, and of a bank debit processing or failed."""
    if session["status"] != "complete":
        return "expired"
    if session["payment_status"] == "paid":
        return "paid"
    intent = account.store.get("payment_intent", session["payment_intent"])
    return "processing" if intent["status"] == "processing" else "failed"


def _business(session: Json) -> str:
    return str(session["branding_settings"]["display_name"])


def _money(session: Json, amount: int) -> str:
    return money.show(amount, session["currency"], (session["locale"] or "en").replace("auto", "en"))


def _page(template: str, status: int, **context: object) -> HTMLResponse:
    return HTMLResponse(templates.get_template(template).render(context), status, HEADERS)
