"""The pages behind `/c/pay/<session id>`, as HTML."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from sandbox.stripe import checkout, money
from sandbox.stripe.account import Account
from sandbox.stripe.bank_accounts import ACCOUNTS
from sandbox.stripe.cards import CARDS
from sandbox.stripe.page.form import PaymentForm
from sandbox.stripe.store import Json

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


def pay(account: Account, session: Json, form: PaymentForm, status: int = 200) -> HTMLResponse:
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


def ask_bank(account: Account, session: Json, intent: Json) -> HTMLResponse:
    """Where a bank would ask its customer who pays."""
    card = account.store.get("payment_method", intent["payment_method"])["card"]
    total = _money(session, session["amount_total"])
    return _page("authenticate.html", 200, business=_business(session), last4=card["last4"], total=total)


def closed(account: Account, session: Json) -> HTMLResponse:
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


def missing(status: int = 404) -> HTMLResponse:
    return _page("missing.html", status)


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
