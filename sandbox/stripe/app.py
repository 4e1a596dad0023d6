from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.stripe.account import Account
from sandbox.stripe.api import disputes, events, payments, refunds, sessions
from sandbox.stripe.api.dispatch import Dispatcher, Operation, failure, respond
from sandbox.stripe.api.errors import unrecognized_url
from sandbox.stripe.bad_line import BadLine
from sandbox.stripe.chaos import Chaos
from sandbox.stripe.control import views as control
from sandbox.stripe.ids import new_id
from sandbox.stripe.page import pages, views

OPERATIONS = (
    *sessions.OPERATIONS,
    *payments.OPERATIONS,
    *refunds.OPERATIONS,
    *disputes.OPERATIONS,
    *events.OPERATIONS,
)


def create_app(account: Account, chaos: Chaos) -> Starlette:
    """The API under /v1, the hosted page under /c/pay, the control page, and /healthz."""
    dispatcher = Dispatcher(account)
    api = [
        Route(operation.path, partial(_serve, dispatcher, operation), methods=[operation.method])
        for operation in OPERATIONS
    ]
    page = [
        Route("/c/pay/{id}", views.show, methods=["GET"]),
        Route("/c/pay/{id}", views.submit, methods=["POST"]),
        Route("/c/pay/{id}/authenticate", views.ask_bank, methods=["GET"]),
        Route("/c/pay/{id}/authenticate", views.authenticate, methods=["POST"]),
    ]
    static = Mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app = Starlette(
        routes=[*api, *page, *control.ROUTES, static, Route("/healthz", _healthz)],
        middleware=[Middleware(BadLine, chaos=chaos)],
        exception_handlers={404: _unrecognized, 405: _unrecognized},
    )
    app.router.redirect_slashes = False
    app.state.account = account
    app.state.chaos = chaos
    return app


async def _serve(dispatcher: Dispatcher, operation: Operation, request: Request) -> Response:
    return await dispatcher.answer(operation, request)


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _unrecognized(request: Request, error: Exception) -> Response:
    """Stripe has no 405: a wrong method is an address that does not exist."""
    if not request.url.path.startswith("/v1/"):
        return pages.missing()
    request_id = new_id("req", 14)
    return respond(failure(unrecognized_url(request.method, request.url.path), request_id), request_id)
