"""The door: static files, Django's pages, live sockets."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from project.asgi_types import Receive, Scope, Send

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
pages = get_asgi_application()

from django.conf import settings  # noqa: E402  needs the apps that the line above loads
from django.urls import reverse  # noqa: E402

from project import daphne_requests, daphne_sockets, daphne_stop, logs, proxies  # noqa: E402
from project.headers import with_headers  # noqa: E402
from project.intake import limited  # noqa: E402
from project.request_id import with_request_id  # noqa: E402
from project.static import StaticFiles  # noqa: E402
from project.webhook_door import stripe_webhook  # noqa: E402
from realtime.routing import sockets  # noqa: E402

daphne_requests.install()
daphne_sockets.install()
daphne_stop.install()
logs.install()
static = StaticFiles()
WEBHOOK = reverse("stripe_webhook")
guarded_pages = limited(pages)


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    """Three ways in: static files, Stripe's webhook, and everything else."""
    if scope["path"].startswith(settings.STATIC_URL):
        await static(scope, receive, send)
    elif scope["path"] == WEBHOOK and scope["method"] == "POST":
        await stripe_webhook(scope, receive, send)
    else:
        await guarded_pages(scope, receive, send)


by_protocol = with_request_id(ProtocolTypeRouter({"http": with_headers(http), "websocket": sockets}))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    await by_protocol(proxies.from_client(scope), receive, send)
