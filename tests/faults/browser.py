"""One person's browser without a window: cookies, forms, and live pages. Many share one event loop."""

import asyncio
import random
import re
from collections.abc import Iterator, Mapping
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from tests.faults.page import OnSwaps, Page
from tests.faults.web import Answer, Unreachable, network

__all__ = ["Answer", "Browser", "NotOpened", "Page", "Unreachable", "network"]

PATIENCE = 30.0
"""Seconds for one answer."""
MOST_REDIRECTS = 10
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class NotOpened(Exception):
    """The page was answered with another status than 200."""

    def __init__(self, path: str, answer: Answer) -> None:
        super().__init__(f"{path} answered {answer.status} {answer.location}".rstrip())
        self.answer = answer


class Browser:
    """`origin` as in `http://127.0.0.1:8000`, which serves the pages and their sockets; http only.

    `chance` decides when a socket is tried again. `headers` go with every request: a proxy's, for example.
    """

    def __init__(
        self,
        origin: str,
        name: str = "",
        *,
        transport: httpx.AsyncHTTPTransport | None = None,
        chance: random.Random | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.origin = origin
        self.name = name
        self.chance = chance or random.Random(name)  # noqa: S311  it decides about delays
        self.cookies: dict[str, str] = {}
        self.csrf_token = ""
        self.pages: list[Page] = []
        self._headers = dict(headers or {})
        self._transport = transport or network()
        self._owns_transport = transport is None

    async def close(self) -> None:
        """Leaves every page."""
        for page in [*self.pages]:
            page.close()
        if self._owns_transport:
            await self._transport.aclose()

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def get(self, path: str, *, limit: float = PATIENCE, follow: bool = False) -> Answer:
        """Raises Unreachable."""
        return await self._go("GET", path, b"", {}, limit, follow=follow)

    async def post(
        self,
        path: str,
        fields: Mapping[str, str],
        referer: str = "/",
        *,
        limit: float = PATIENCE,
        follow: bool = False,
        by_htmx: bool = False,
    ) -> Answer:
        """With the token of the last document that had one, unless `fields` has one. Raises Unreachable."""
        token = {"csrfmiddlewaretoken": self.csrf_token} if self.csrf_token else {}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.origin,
            "Referer": urljoin(self.origin, referer),
        }
        if by_htmx:
            headers["HX-Request"] = "true"
        body = urlencode(token | dict(fields)).encode()
        return await self._go("POST", path, body, headers, limit, follow=follow)

    async def open(self, path: str, on_swaps: OnSwaps | None = None, *, limit: float = PATIENCE) -> Page:
        """Load a page and connect its sockets; `page.open` tells when they are.

        Raises Unreachable, NotOpened.
        """
        answer = await self.get(path, limit=limit)
        if answer.status != 200:
            raise NotOpened(path, answer)
        page = Page(self, path, on_swaps)
        self.pages.append(page)
        page.show(answer.status, answer.text)
        return page

    async def _go(
        self, method: str, path: str, body: bytes, headers: dict[str, str], limit: float, *, follow: bool
    ) -> Answer:
        for _ in range(MOST_REDIRECTS):
            answer = await self._ask(method, path, body, headers, limit)
            if not (follow and answer.location and 300 <= answer.status < 400):
                return answer
            method, path, body, headers = "GET", urljoin(path, answer.location), b"", {}
            if urlsplit(path).netloc not in ("", urlsplit(self.origin).netloc):
                return answer  # to Stripe
        raise Unreachable(f"{path} leads in circles")

    async def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str], limit: float
    ) -> Answer:
        cookies = {"Cookie": self.cookie_header} if self.cookies else {}
        request = httpx.Request(
            method, urljoin(self.origin, path), content=body, headers=self._headers | headers | cookies
        )
        try:
            async with asyncio.timeout(limit):
                response = await self._transport.handle_async_request(request)
                try:
                    await response.aread()
                finally:
                    await response.aclose()
        except (httpx.TransportError, TimeoutError, OSError) as error:
            raise Unreachable(f"{method} {path}: {error!r}") from error
        self._keep(response.headers.get_list("Set-Cookie"))
        if token := TOKEN.search(response.text):
            self.csrf_token = unescape(token[1])
        return Answer(path, response.status_code, response.headers, response.text)

    def _keep(self, lines: list[str]) -> None:
        for name, value, is_over in _cookies(lines):
            if is_over:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


def _cookies(lines: list[str]) -> Iterator[tuple[str, str, bool]]:
    """Name, value, and whether it is to be forgotten. All ours are of the whole site."""
    for line in lines:
        for name, morsel in SimpleCookie(line).items():
            yield name, morsel.coded_value, morsel["max-age"] == "0"
