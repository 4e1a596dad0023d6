"""Who gets in. Open pages are asked for the same rights as views (shop/visits.py)."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from shop import rights, security, tracing
from shop.accounts import outlasts_staffs

View = Callable[..., Any]


_IN_SHORT = {
    "refund": rights.REFUND_ORDER,
    "fulfil": rights.FULFIL_ORDER,
    "payload": rights.VIEW_WEBHOOK_PAYLOAD,
}


class StaffRequest(HttpRequest):
    """A request that `requires` has let through."""

    user: User
    htmx: HtmxDetails


def requires(*needed: str) -> Callable[[View], View]:
    """Let those in who have all of these rights; the others to the log-in page, or 403."""

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def later(request: HttpRequest, **kwargs: Any) -> Any:
                return await sync_to_async(_refusal)(request, needed) or await view(request, **kwargs)

            return later

        @wraps(view)
        def now(request: HttpRequest, **kwargs: Any) -> Any:
            return _refusal(request, needed) or view(request, **kwargs)

        return now

    return decorate


def may(request: StaffRequest) -> str:
    """What the viewer may do, for the style sheet: "refund fulfil payload". Only for show: views ask."""
    held = request.user.get_all_permissions()
    return " ".join(name for name, right in _IN_SHORT.items() if right in held)


def _refusal(request: HttpRequest, needed: tuple[str, ...]) -> HttpResponse | None:
    user: User | AnonymousUser = request.user
    if not user.is_authenticated:
        return _to_login(request)
    tracing.bind(user=user.pk)
    if all(rights.has(user.pk, right) for right in needed):
        return _to_login(request) if outlasts_staffs(request) else None
    security.refuse("Permission refused", needs=" ".join(needed))
    if HtmxDetails(request):
        words = "Your account may not do that, or no longer. Nothing was done."
        return render(request, "dashboard/_answer.html", {"words": words, "level": "danger"}, status=403)
    raise PermissionDenied


def _to_login(request: HttpRequest) -> HttpResponse:
    """Where a button was pressed the way back leads to its page: buttons cannot be pressed by an address."""
    match = request.resolver_match
    back = request.get_full_path()
    if request.method == "POST" and match:
        is_order = "public_id" in match.kwargs
        back = reverse("dashboard:order", kwargs=match.kwargs) if is_order else reverse("dashboard:webhooks")
    redirect = redirect_to_login(back)
    return HttpResponseClientRedirect(redirect.url) if HtmxDetails(request) else redirect
