"""What an answer says of itself: a type that is true, and in which letters it is written."""

from typing import Any, cast

import httpx
import pytest
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from project.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)

TYPES = {
    "/": "text/html; charset=utf-8",
    "/nothing/": "text/html; charset=utf-8",
    "/healthz": "text/plain; charset=utf-8",
    "/readyz": "application/json",
    "/dashboard/": "text/html; charset=utf-8",
    "/dashboard/export/": "text/csv; charset=utf-8",
    "/admin/": "text/html; charset=utf-8",
    "/api/v1/products/": "application/json",
    "/api/v1/nothing/": "application/problem+json",
    "/stripe-webhook/": "text/plain; charset=utf-8",
    "/metrics": "text/plain; version=",
    "/static/live.js": 'text/javascript; charset="utf-8"',
    "/static/shopbell.css": 'text/css; charset="utf-8"',
    "/static/pictures/shopbell.svg": "image/svg+xml",
    "/static/nothing.js": "text/plain; charset=utf-8",
}


async def ask(method, path, client):
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    door = httpx.ASGITransport(app=cast("Any", application))
    async with httpx.AsyncClient(transport=door, base_url="http://127.0.0.1", cookies=cookies) as browser:
        return await browser.request(method, path)


@pytest.mark.parametrize(("path", "content_type"), TYPES.items())
async def test_an_answer_says_what_it_is_and_its_letters(staff, path, content_type):
    answer = await ask("POST" if path == "/stripe-webhook/" else "GET", path, staff)

    assert answer.content
    assert answer.headers["content-type"].startswith(content_type)
    assert answer.headers["x-content-type-options"] == "nosniff"


def addresses(patterns, before=""):
    """All of the shop's own without a variable part."""
    for pattern in patterns:
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver) and "admin" not in address:
            yield from addresses(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern) and not set("<^(\\$") & set(address):
            yield f"/{address}"


async def test_no_address_answers_to_trace(staff):
    """It would send back the headers, cookies included."""
    paths = list(addresses(get_resolver().url_patterns))
    assert {"/", "/checkout/", "/dashboard/", "/accounts/login/"} < set(paths)
    for path in [*paths, f"{settings.STATIC_URL}live.js", "/admin/", "/nothing/"]:
        answer = await ask("TRACE", path, staff)
        assert answer.status_code == 405, (path, answer.status_code)
        assert "sessionid" not in answer.text
