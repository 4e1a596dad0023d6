"""The control page, `/`: what happened here, and the levers that a person or a test needs."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.stripe import bank_accounts, cards, money
from sandbox.stripe.api.errors import StripeError, invalid
from sandbox.stripe.bodies import TooLargeError, read_body
from sandbox.stripe.config import ConfigError
from sandbox.stripe.control import guard, overview
from sandbox.stripe.control.actions import ACTIONS, Call
from sandbox.stripe.control.typed import plain
from sandbox.stripe.page.pages import templates
from sandbox.stripe.store import Json

MAX_FORM = 20_000
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    # Not no-referrer: with that, browsers call the origin of our own forms null.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


async def show(request: Request) -> Response:
    if refusal := guard.refusal(request, changes=False):
        return PlainTextResponse(refusal, 403, HEADERS)
    return JSONResponse(_everything(request), headers=HEADERS) if _wants_json(request) else _page(request)


async def act(action: Callable[[Call], Json], request: Request) -> Response:
    """Do it, then back to where the button was; or what it changed as JSON, for who accepts that."""
    if refusal := guard.refusal(request):
        return PlainTextResponse(refusal, 403, HEADERS)
    try:
        fields = await _fields(request)
        state = request.app.state
        outcome = action(Call(state.account, state.chaos, request.path_params.get("id", ""), fields))
    except StripeError as error:
        return _refused(request, str(error), error.status)
    except ConfigError as error:
        return _refused(request, str(error), 400)
    if _wants_json(request):
        return JSONResponse(outcome, headers=HEADERS)
    section = request.url.path.split("/")[2]
    return RedirectResponse(f"/#{section}", 303, HEADERS)


async def _fields(request: Request) -> Json:
    """Of a form, or of a JSON object; raises StripeError."""
    try:
        body = await read_body(request, MAX_FORM)
    except TooLargeError:
        raise invalid("That is too long.", status=413) from None
    if request.headers.get("Content-Type", "").startswith("application/json"):
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise invalid("The body must be a JSON object.")
        return fields
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _refused(request: Request, message: str, status: int) -> Response:
    if _wants_json(request):
        return JSONResponse({"error": {"message": message}}, status, HEADERS)
    return _page(request, message, status)


def _everything(request: Request) -> Json:
    return overview.everything(request.app.state.account, request.app.state.chaos)


def _page(request: Request, alert: str = "", status: int = 200) -> Response:
    config = request.app.state.account.config
    page = templates.get_template("control.html").render(
        **_everything(request),
        accounts=bank_accounts.ACCOUNTS,
        alert=alert,
        base_url=config.base_url,
        business=config.business_name,
        calm=request.app.state.chaos.rates.calm,
        cards=cards.CARDS,
        clock=_clock,
        money=money.show,
        plain=plain,
    )
    return HTMLResponse(page, status, HEADERS)


def _clock(moment: float) -> str:
    """The time of day here, with the day if that is not today."""
    then = datetime.fromtimestamp(moment).astimezone()
    today = then.date() == datetime.now().astimezone().date()
    return f"{then:%H:%M:%S}" if today else f"{then:%d %b %H:%M}"


ROUTES = [
    Route("/", show, methods=["GET"]),
    *(Route(path, partial(act, action), methods=["POST"]) for path, action in ACTIONS.items()),
]
