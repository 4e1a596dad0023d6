"""Is it up? For process runners, load balancers and people."""

import asyncio

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as soon as this process serves."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, else 503: {"database": "ok" | "down", "redis": "ok" | "degraded"}.

    Redis only hurries the pages along, so the shop is ready without it.
    """
    database = _database_answers()
    redis = async_to_sync(_redis_answers)()
    return JsonResponse(
        {"database": "ok" if database else "down", "redis": "ok" if redis else "degraded"},
        status=200 if database else 503,
    )


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


async def _redis_answers() -> bool:
    try:
        await asyncio.wait_for(get_channel_layer().group_send("health", {"type": "health"}), 0.5)
    except Exception:  # noqa: BLE001  whatever is wrong with it, the answer is the same
        return False
    return True
