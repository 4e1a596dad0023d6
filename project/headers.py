"""What every answer tells the browser beside its content: pages, static files, webhook, errors and redirects.

Added outside of whatever answers, Django included, so that none of them can forget it. What an answer says
itself stands: a page's stricter Referrer-Policy, a file's Cache-Control.
"""

from http import HTTPStatus
from typing import Any

from csp.utils import build_policy
from django.conf import settings

from project.asgi_types import Application, Headers, Message, Receive, Scope, Send

OURS = ("autoplay", "fullscreen", "screen-wake-lock")  # the dashboard's bell, whole screen and lit screen
NOBODYS = (
    *("camera", "display-capture", "microphone", "picture-in-picture", "encrypted-media"),
    *("accelerometer", "geolocation", "gyroscope", "magnetometer", "xr-spatial-tracking"),
    *("hid", "midi", "serial", "usb", "idle-detection", "local-fonts", "window-management"),
    *("clipboard-read", "payment", "publickey-credentials-get"),
)


def with_headers(application: Application) -> Application:
    """The same ASGI application for HTTP, with the headers that its answers lack."""
    always, policy, hsts = _always(), [(b"content-security-policy", _policy())], _hsts()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                wanted = always + (hsts if scope.get("scheme") == "https" else [])
                wanted += [] if _is_djangos_debug_page(message["status"]) else policy
                message = {**message, "headers": _complete(message.get("headers", ()), wanted)}
            await send(message)

        await application(scope, receive, send_on)

    return answer


def _complete(headers: Any, wanted: Headers) -> Headers:
    said = {name.lower() for name, _value in headers}
    return [*headers, *(header for header in wanted if header[0] not in said)]


def _always() -> Headers:
    headers = {
        "x-content-type-options": "nosniff",
        "x-frame-options": settings.X_FRAME_OPTIONS,  # for browsers that do not know frame-ancestors
        "referrer-policy": settings.SECURE_REFERRER_POLICY,
        "cross-origin-opener-policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": ", ".join(
            [*(f"{feature}=(self)" for feature in OURS), *(f"{feature}=()" for feature in NOBODYS)]
        ),
        # Pages show whose they are, and carry tokens and tickets. Only static files say they may be kept.
        "cache-control": "no-store",
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _policy() -> bytes:
    # Sorted: django-csp's own order is that of a set, another in each process.
    return "; ".join(sorted(build_policy().split("; "))).encode()


def _hsts() -> Headers:
    if not settings.SECURE_HSTS_SECONDS:
        return []
    value = f"max-age={settings.SECURE_HSTS_SECONDS}"
    value += "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    value += "; preload" if settings.SECURE_HSTS_PRELOAD else ""
    return [(b"strict-transport-security", value.encode())]


def _is_djangos_debug_page(status: int) -> bool:
    """It has its styles and scripts in itself."""
    return settings.DEBUG and status in (HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR)
