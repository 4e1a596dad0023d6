"""What is measured beside Shopbell's pages: the consumer that Channels' documentation leads to.

A channel for each connection, a group for the topic, a handler that sends. Same server, same layer,
and no log-in.
"""

import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
pages = get_asgi_application()

GROUP = "bench.plain"
ADDRESS = "/plain/"


class PlainConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def fragment(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["html"])


application = ProtocolTypeRouter(
    {"http": pages, "websocket": URLRouter([path(ADDRESS.lstrip("/"), PlainConsumer.as_asgi())])}
)
