"""/metrics for Prometheus: what this process counts, and what the database says of the shop as a whole."""

from ipaddress import ip_address

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from project.figures import of_process, of_shop
from project.proxies import FORWARDED


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For addresses in METRICS_ALLOWED; for all others there is no such page."""
    if not _may(request):
        raise Http404
    both = generate_latest(of_process) + generate_latest(of_shop)
    return HttpResponse(both, content_type=CONTENT_TYPE_LATEST)


def _may(request: HttpRequest) -> bool:
    # What came through a proxy has the proxy's address, which may well be on the list: a local nginx.
    # The ASGI application has taken its headers away, and noted that they were there (project/proxies.py).
    if getattr(request, "scope", {}).get(FORWARDED):
        return False
    try:
        peer = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(peer in network for network in settings.METRICS_ALLOWED)
