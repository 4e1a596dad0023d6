"""What went wrong, as problem details (RFC 9457) around REST framework's own: `detail`, or a list of messages
for each field.
"""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions, permissions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from shop.limits import TooOften
from shop.models import Order, Product

MEDIA_TYPE = "application/problem+json"
TRY_AGAIN = 30
"""Seconds after which asking Stripe once more makes sense."""


class SoldOutProblem(exceptions.APIException):
    status_code = HTTPStatus.CONFLICT

    def __init__(self, product: Product, detail: str) -> None:
        super().__init__(detail)
        self.members = {"product": product.slug, "available": product.available or 0}


class StripeProblem(exceptions.APIException):
    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "The payment page cannot be opened just now. The order is kept: send the same again."
    wait = TRY_AGAIN

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.members = {"order": str(order.public_id)}


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "Request body too large."


class NotThere(APIView):
    """Every address below /api/ that leads nowhere."""

    permission_classes = (permissions.AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise exceptions.NotFound


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's answer to an exception, made a problem; None for what is our own fault."""
    error = _as_ours(error)
    response = exception_handler(error, context)
    if response is None:
        return None
    body = response.data if isinstance(response.data, dict) else {"non_field_errors": response.data}
    status = HTTPStatus(response.status_code)
    known = {"type": "about:blank", "title": status.phrase, "status": status.value}
    response.data = known | body | getattr(error, "members", {})
    response.content_type = MEDIA_TYPE
    # Also where the answer would have been a page, or where no format could be agreed upon.
    context["request"].accepted_renderer = JSONRenderer()
    context["request"].accepted_media_type = MEDIA_TYPE
    return response


def _as_ours(error: Exception) -> Exception:
    """What Django says of a body that it will not read, and what our own limits say."""
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, TooOften):
        return exceptions.Throttled(error.wait)
    if isinstance(error, (SuspiciousOperation, MultiPartParserError)):
        return exceptions.ParseError()
    return error
