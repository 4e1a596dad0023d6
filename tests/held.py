"""`daphne tests.held:application`: the shop, with a socket at /held/ whose handshake it never answers."""

from project.asgi import application as shop
from project.asgi_types import Receive, Scope, Send


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/held/":
        await shop(scope, receive, send)
        return
    while (await receive())["type"] != "websocket.disconnect":
        pass
