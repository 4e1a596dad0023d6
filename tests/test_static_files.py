"""Static files come from the ASGI application itself, without Django."""

import asyncio

import pytest
from asgiref.testing import ApplicationCommunicator

from project.asgi import application


async def ask(path, *, method="GET", headers=()):
    """Status, headers and body of the answer."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), *headers],
    }
    browser = ApplicationCommunicator(application, scope)
    await browser.send_input({"type": "http.request", "body": b""})
    start = await browser.receive_output()
    body = await browser.receive_output()
    return start["status"], dict(start["headers"]), body["body"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/live.js",
        "/static/bootstrap/css/bootstrap.min.css",
        "/static/django_htmx/htmx-4.min.js",
        "/static/admin/css/base.css",
    ],
)
async def test_files_of_ours_and_of_packages_are_served(path):
    status, headers, body = await ask(path)
    assert status == 200
    assert len(body) == int(headers[b"content-length"]) > 100


async def test_a_page_that_loads_its_files_all_at_once_gets_them_all():
    answers = await asyncio.gather(*[ask("/static/live.js") for _ in range(40)])
    assert {status for status, _headers, _body in answers} == {200}


async def test_a_file_that_the_browser_has_is_not_sent_again():
    _status, headers, _body = await ask("/static/live.js")
    status, _headers, body = await ask("/static/live.js", headers=[(b"if-none-match", headers[b"etag"])])
    assert (status, body) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/static/none.js", "/static/../manage.py", "/static/%2e%2e/manage.py", "/static/"]
)
async def test_what_is_no_static_file_is_404(path):
    status, _headers, body = await ask(path)
    assert (status, body) == (404, b"No such file.\n")


async def test_files_can_be_read_only():
    assert (await ask("/static/live.js", method="HEAD"))[2] == b""
    assert (await ask("/static/live.js", method="POST"))[0] == 405
