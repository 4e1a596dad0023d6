"""A shopper's browser: cookies, redirects, patience, and one place that it never goes."""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import httpx

from sandbox.shoppers.pages import Form, Page

MOST_REDIRECTS = 10
# While nobody answers: how long until the next try.
PATIENCE = (0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8, 8)
AWAY = frozenset([500, 502, 504])


class Gone(Exception):
    """Nobody has answered for about a minute."""


class NotTheSandbox(Exception):
    """The shop sends its shoppers to pay somewhere where it may be real. The text is for a person."""


class Browser:
    """`tell` hears of a server that does not answer. Pages of other places than the shop and this machine are
    never asked for: raises NotTheSandbox."""

    def __init__(self, shop: str, tls: ssl.SSLContext, tell: Callable[[str], None]) -> None:
        self._shop = shop
        self._tell = tell
        # trust_env off: a proxy of the surroundings must not stand between us and this machine.
        self._client = httpx.AsyncClient(verify=tls, timeout=30, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def open(self, url: str) -> Page:
        return await self._go("GET", urljoin(self._shop, url), None, "")

    async def submit(self, page: Page, form: Form, **typed: str) -> Page:
        return await self._go("POST", form.action, form.fields | typed, page.url)

    async def _go(self, method: str, url: str, data: dict[str, str] | None, referer: str) -> Page:
        for _ in range(MOST_REDIRECTS):
            answer = await self._ask(method, url, data, referer)
            if not answer.is_redirect:
                return Page(url, answer.status_code, answer.text)
            method, url, data = "GET", urljoin(url, answer.headers["Location"]), None
        raise Gone(f"{url} leads in circles")

    async def _ask(self, method: str, url: str, data: dict[str, str] | None, referer: str) -> httpx.Response:
        """Asking again is harmless: the shop makes one order of a cart, and Stripe takes a payment once."""
        self._stay_here(url)
        headers = {"Referer": referer} if referer else {}
        for seconds in PATIENCE:
            try:
                answer = await self._client.request(method, url, data=data, headers=headers)
                if answer.status_code not in AWAY:
                    return answer
            except httpx.RequestError:
                pass
            self._tell(f"{_origin(url)} does not answer: trying again")
            await asyncio.sleep(seconds)
        raise Gone(f"{_origin(url)} did not answer")

    def _stay_here(self, url: str) -> None:
        if _origin(url) == _origin(self._shop) or is_loopback(url):
            return
        raise NotTheSandbox(
            f"The shop sends its shoppers to {_origin(url)} to pay, which is not the local Stripe:"
            " nothing was paid. Simulated shoppers are for a shop with the local Stripe only."
        )


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))
