"""The flight recorder's pages, and the button that has an event looked at once more."""

import json
import logging
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from shop import security, webhooks
from shop.dashboard.access import StaffRequest, may, requires
from shop.dashboard.answers import LEVELS
from shop.dashboard.recorder import WebhookFilter
from shop.models import Outcome, StripeEvent
from shop.models.clock import database_moment
from shop.payloads import masked
from shop.rights import REFUND_ORDER, VIEW_PAYMENTS, VIEW_WEBHOOK_PAYLOAD

log = logging.getLogger(__name__)


class EventIdConverter:
    """Stripe's ids as they are; one of other characters, which a path would not bring back, in Base64."""

    regex = r"~?[A-Za-z0-9_-]+"

    def to_python(self, value: str) -> str:
        if not value.startswith("~"):
            return value
        data = value[1:].encode()
        event_id = urlsafe_b64decode(data + b"=" * (-len(data) % 4)).decode()
        if not re.fullmatch(r"[!-~]{1,255}", event_id):
            raise ValueError  # which is a 404
        return event_id

    def to_url(self, value: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9_-]+", value):
            return value
        return "~" + urlsafe_b64encode(value.encode()).decode().rstrip("=")


@require_safe
@never_cache
@requires(VIEW_PAYMENTS)
def deliveries(request: StaffRequest) -> HttpResponse:
    """`/dashboard/webhooks/?type=…&outcome=…&q=…&after=<cursor>`."""
    context = {
        "as_of": database_moment(),
        "filter": WebhookFilter.from_query(request.GET),
        "after": "after" in request.GET,
        "address": request.GET.urlencode(),
        "may": may(request),
        "section": "webhooks",
    }
    return render(request, "dashboard/webhooks.html", context)


@require_safe
@never_cache
@requires(VIEW_PAYMENTS, VIEW_WEBHOOK_PAYLOAD)
def payload(request: StaffRequest, event_id: str) -> HttpResponse:
    """What Stripe signed, without card holders' data; once that is purged, only that it was here."""
    event = get_object_or_404(StripeEvent.objects.select_related("order"), pk=event_id)
    security.note("Payload viewed", event=event_id)
    shown = {"event": event, "told": "" if event.is_purged else _told(event.payload)}
    context = {"as_of": database_moment(), "may": may(request), "section": "webhooks", **shown}
    return render(request, "dashboard/webhook.html", context)


def _told(payload: str) -> str:
    told = json.dumps(masked(json.loads(payload)), indent=2, ensure_ascii=False)
    return told.encode(errors="backslashreplace").decode()  # half a character, as JSON writes it


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, REFUND_ORDER)
def replay(request: StaffRequest, event_id: str) -> HttpResponse:
    """Do once more what the event says, unless that was done. That may be a payment or a refund."""
    get_object_or_404(StripeEvent.objects.only("pk"), pk=event_id)
    security.note("Replay asked for", event=event_id)
    try:
        outcome = webhooks.replay(event_id, who_id=request.user.pk)
    except webhooks.Purged as purged:
        return _done(request, f"Not replayed. {purged}", "warning")
    except Exception as error:  # noqa: BLE001  kept with the event; by its kind only, messages quote rows
        log.error("Event %s failed when it was replayed: %s", event_id, type(error).__name__)
        return _done(request, f"Failed again, and kept: {type(error).__name__}.", "warning")
    level = "success" if outcome == Outcome.APPLIED else "warning"
    return _done(request, f"Replayed. {outcome.label}.", level)


def _done(request: StaffRequest, words: str, level: str) -> HttpResponse:
    if request.htmx:
        return render(request, "dashboard/_answer.html", {"words": words, "level": level})
    messages.add_message(request, LEVELS[level], words)
    return redirect("dashboard:webhooks")
