import asyncio
import contextlib
import logging
import os
import socket
import sys

import httpx
import uvicorn

from sandbox.stripe import clock, endpoints
from sandbox.stripe.account import Account
from sandbox.stripe.app import create_app
from sandbox.stripe.chaos import BadPost, Chaos, Rates
from sandbox.stripe.config import Config, ConfigError, from_environ
from sandbox.stripe.deliveries import Post, sender
from sandbox.stripe.store import StateError, Store

CLOCK_SECONDS = 0.5


def main() -> int:
    logging.basicConfig(format="stripe: %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        config = from_environ(os.environ)
        listener = _listen(config.port)
        rates = Rates.from_text(os.environ.get("SANDBOX_STRIPE_CHAOS", ""))
        store = Store(config.state_dir)
    except (ConfigError, StateError) as error:
        print(error, file=sys.stderr)
        return 1
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(config, Chaos(rates), store, listener))
    return 0


def _listen(port: int) -> socket.socket:
    """Ours before anything starts, so that a busy port is a sentence and not a traceback."""
    # asyncio switches Nagle's delay off only where the protocol is named: without it an answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise ConfigError(
            f"The local Stripe cannot use port {port} ({error.strerror}):"
            " stop what listens there or set SANDBOX_STRIPE_PORT."
        ) from None
    return listener


async def _serve(config: Config, chaos: Chaos, store: Store, listener: socket.socket) -> None:
    # trust_env off: a proxy of the surroundings must not stand between us and a webhook on this machine.
    async with httpx.AsyncClient(follow_redirects=False, timeout=None, trust_env=False) as client:  # noqa: S113
        endpoints.install(store, config.endpoints)
        urls = [endpoint.url for endpoint in config.endpoints]
        post = Post(store, urls, config.retry_seconds, BadPost(sender(client, store), chaos))
        account = Account(config, store, post)
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(account, chaos),
                access_log=False,
                log_level="warning",
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        # One group, so that a background task that dies takes the server along instead of leaving it deaf.
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(post.run()), tasks.create_task(_tick(account))]
            logging.getLogger(__name__).info("ready at %s", config.base_url)
            await server.serve(sockets=[listener])
            for task in background:
                task.cancel()


async def _tick(account: Account) -> None:
    """By looking, not by timers: clocks jump when a laptop sleeps."""
    while True:
        clock.tick(account)
        await asyncio.sleep(CLOCK_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
