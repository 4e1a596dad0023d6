"""The hosted payment page, `/c/pay/<session id>`: what the shopper sees while the shop waits."""

from pathlib import Path
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sandbox.stripe import checkout, money
from sandbox.stripe.account import Account
from sandbox.stripe.bodies import TooLargeError, read_body
from sandbox.stripe.cards import CARDS
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
        return _closed(session)
    return _form(account, session, PaymentForm.of({"email": session["customer_email"] or ""}))


async def submit(request: Request) -> Response:
    account: Account = request.app.state.account
    session = account.store.find("checkout.session", request.path_params["id"])
    if session is None:
        return missing()
    try:
        fields = dict(parse_qsl((await read_body(request, MAX_FORM)).decode(errors="replace")))
    except TooLargeError:
        return _page("missing.html", 413)
    if "fill" in fields and session["status"] == "open":
        return _form(account, session, PaymentForm.with_test_card(fields))
    return await _pay(account, session, PaymentForm.of(fields))


def missing() -> Response:
    return _page("missing.html", 404)


async def _pay(account: Account, session: Json, form: PaymentForm) -> Response:
    buyer = form.buyer()
    if buyer is None:
        form.forget_real_card()
        return _form(account, session, form, 422) if session["status"] == "open" else _closed(session)
    outcome = checkout.pay(account, session, buyer)
    if outcome.declined:
        form.decline(outcome.declined)
        return _form(account, outcome.session, form, 402)
    if outcome.session["status"] != "complete":
        return _closed(outcome.session)
    for event in account.store.children(session["id"], "event"):
        if event["type"] == "checkout.session.completed":
            await account.post.heard_everywhere(event["id"], REDIRECT_WAIT_SECONDS)
    return RedirectResponse(_success_url(session), 303)


def _form(account: Account, session: Json, form: PaymentForm, status: int = 200) -> Response:
    return _page(
        "pay.html",
        status,
        business=session["branding_settings"]["display_name"],
        button=BUTTONS.get(session["submit_type"], "Pay"),
        cards=CARDS,
        form=form,
        items=[_item(account, session, item) for item in account.store.children(session["id"], "item")],
        session=session,
        test_values=PaymentForm.with_test_card({}).values,
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


def _closed(session: Json) -> Response:
    """A session that is over keeps its address, as a page that says so and leads back."""
    complete = session["status"] == "complete"
    return _page(
        "closed.html",
        200 if complete else 410,
        business=session["branding_settings"]["display_name"],
        complete=complete,
        back=_success_url(session) if complete else session["cancel_url"],
        total=_money(session, session["amount_total"]),
    )


def _money(session: Json, amount: int) -> str:
    return money.show(amount, session["currency"], (session["locale"] or "en").replace("auto", "en"))


def _success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _page(template: str, status: int, **context: object) -> HTMLResponse:
    return HTMLResponse(templates.get_template(template).render(context), status, HEADERS)
