"""The addresses of the live sockets, open to pages of our own origins only."""

from channels.routing import URLRouter
from channels.security.websocket import OriginValidator
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.urls import path, re_path

from realtime.consumers import Nobody, PageConsumer

sockets = OriginValidator(
    CookieMiddleware(
        URLRouter(
            [
                path("ws/shop/", PageConsumer.as_asgi(), name="shop_socket"),
                path("ws/orders/<uuid:public_id>/", PageConsumer.as_asgi(), name="order_socket"),
                path("ws/dashboard/orders/<uuid:public_id>/", PageConsumer.as_asgi(), name="payment_socket"),
                path("ws/dashboard/webhooks/", PageConsumer.as_asgi(), name="webhooks_socket"),
                path("ws/dashboard/", PageConsumer.as_asgi(), name="payments_socket"),
                re_path("", Nobody.as_asgi()),
            ]
        )
    ),
    settings.SITE_ORIGINS,
)
