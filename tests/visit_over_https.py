"""A visit to the shop by HTTPS, in a process of its own: the settings of this are made when Django starts.

Run with PUBLIC_URL=https://shop.example; prints what test_headers.py reads.
"""

import asyncio
import json
import os
import re
import sys
from typing import Any, cast

import httpx

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
from project.asgi import application  # starts Django

SITE = "https://shop.example"
PATHS = ("/", "/nothing/", "/static/live.js", "/static/none.js", "/stripe-webhook/", "/admin/login/")
PLAIN = ("http://shop.example/healthz", "http://shop.example/static/live.js")


async def main() -> None:
    cookies: list[str] = []

    async def note(answer: httpx.Response) -> None:
        cookies.extend(answer.headers.get_list("set-cookie"))

    door = httpx.ASGITransport(app=cast("Any", application))
    hooks = {"response": [note]}
    async with httpx.AsyncClient(
        transport=door, base_url=SITE, headers={"Origin": SITE}, event_hooks=hooks
    ) as browser:
        headers = {path: dict((await browser.get(path)).headers) for path in PATHS + PLAIN}
        await _make_a_group(browser)
    sys.stdout.write(json.dumps({"headers": headers, "cookies": cookies}))


async def _make_a_group(browser: httpx.AsyncClient) -> None:
    """As staff, in the admin, which says with a message that it did."""
    name, word = os.environ["STAFF_USERNAME"], os.environ["STAFF_PASSWORD"]
    await _send(browser, "/admin/login/", username=name, password=word)
    await _send(browser, "/admin/auth/group/add/", name="Visitors")


async def _send(browser: httpx.AsyncClient, path: str, **typed: str) -> None:
    page = (await browser.get(path)).text
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
    answer = await browser.post(path, data={"csrfmiddlewaretoken": token, **typed})
    assert answer.status_code == 302, answer.text


if __name__ == "__main__":
    asyncio.run(main())
