"""Pages for what went wrong."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shop.limits import TooOften
from shop.models import Order


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that is too old, or not ours: say what to do about it."""
    return render(request, "403_csrf.html", status=403)


def too_often_page(
    request: HttpRequest, too_often: TooOften, said: str, order: Order | None = None
) -> HttpResponse:
    """`said` is what was refused and what was not, in whole sentences."""
    context = {"said": said, "minutes": too_often.minutes, "order": order}
    return retry_after(render(request, "429.html", context, status=429), too_often)


def retry_after(response: HttpResponse, too_often: TooOften) -> HttpResponse:
    response["Retry-After"] = str(too_often.wait)
    return response
