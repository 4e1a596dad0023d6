"""One API request, from its headers to its answer."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from stripe import api_version

from sandbox.stripe.account import Account
from sandbox.stripe.api import idempotency, schema
from sandbox.stripe.api.auth import authenticate
from sandbox.stripe.api.errors import StripeError, invalid
from sandbox.stripe.api.expand import expand
from sandbox.stripe.api.idempotency import Answer, Attempt, Claims
from sandbox.stripe.api.params import Raw, decode
from sandbox.stripe.bodies import TooLargeError, read_body
from sandbox.stripe.events import Cause
from sandbox.stripe.ids import new_id
from sandbox.stripe.store import Json

MAX_BODY = 1_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """What an operation gets: checked parameters and the ids of the path."""

    account: Account
    params: Json
    path: dict[str, str]
    cause: Cause


@dataclass(frozen=True)
class Operation:
    """One address of the API.

    `params` is the SDK's typed class, `supported` how much of it we do. `check` refuses what types cannot
    tell; whatever it raises is not stored under an idempotency key, whatever `run` raises is.
    """

    method: str
    path: str
    params: type
    supported: schema.Supported
    run: Callable[[Call], Json]
    check: Callable[[Account, Json], None] = lambda account, params: None


class Dispatcher:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._claims = Claims()

    async def answer(self, operation: Operation, request: Request) -> Response:
        request_id = new_id("req", 14)
        key = request.headers.get("Idempotency-Key", "")
        replayed = False
        try:
            api_key = authenticate(request.headers.get("Authorization"), self._account.config.secret_key)
            if request.method == "GET" or not key:
                raw = decode(await _form(request))
                answer = self._perform(operation, raw, request.path_params, Cause(request_id))
            else:
                with self._claims.hold(api_key, key):
                    raw = decode(await _form(request))
                    attempt = Attempt.of(api_key, key, request.url.path, raw)
                    cause = Cause(request_id, key)
                    answer = self._once(operation, attempt, raw, request.path_params, cause)
                replayed = answer.original != request_id
        except StripeError as error:
            answer = failure(error, request_id)
        return respond(answer, request_id, key, replayed)

    def _once(
        self, operation: Operation, attempt: Attempt, raw: dict[str, Raw], path: dict[str, str], cause: Cause
    ) -> Answer:
        stored = idempotency.find(self._account.store, attempt)
        return stored or self._perform(operation, raw, path, cause, attempt)

    def _perform(
        self,
        operation: Operation,
        raw: dict[str, Raw],
        path: dict[str, str],
        cause: Cause,
        attempt: Attempt | None = None,
    ) -> Answer:
        params = schema.read(raw, operation.params, operation.supported)
        operation.check(self._account, params)
        call = Call(self._account, params, path, cause)
        request_id = cause.request_id or ""
        try:
            with self._account.change():
                body = expand(self._account.store, operation.run(call), params.get("expand", []))
                answer = Answer(200, _text(body), request_id)
                self._keep(attempt, answer)
        except StripeError as error:
            answer = failure(error, request_id)
        except Exception:
            logger.exception("%s %s failed", operation.method, operation.path)
            answer = failure(
                StripeError(500, "api_error", "The local Stripe failed; see its log."), request_id
            )
        else:
            return answer
        self._keep(attempt, answer)
        return answer

    def _keep(self, attempt: Attempt | None, answer: Answer) -> None:
        if attempt is not None:
            idempotency.keep(self._account.store, attempt, answer)


def failure(error: StripeError, request_id: str) -> Answer:
    return Answer(error.status, _text(error.body()), request_id)


def _text(body: Any) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)


def respond(answer: Answer, request_id: str, key: str = "", replayed: bool = False) -> Response:
    headers = {"Request-Id": request_id, "Stripe-Version": api_version, "Cache-Control": "no-cache, no-store"}
    if key:
        headers["Idempotency-Key"] = key
    if replayed:
        headers |= {"Idempotent-Replayed": "true", "Original-Request": answer.original}
    if answer.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Stripe"'
    return Response(answer.body, answer.status, headers, "application/json")


async def _form(request: Request) -> bytes:
    if request.method == "GET":
        return request.url.query.encode()
    try:
        return await read_body(request, MAX_BODY)
    except TooLargeError:
        raise invalid("The request body is too large.", status=413) from None
