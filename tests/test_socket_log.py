"""What the log says of sockets: whose they were, and why they are closed."""

import pytest

from project.logs import Formatter
from realtime.hub import hub
from tests import logfmt
from tests.live import an_order, live
from tests.local_stripe import eventually
from tests.raw import Visit


def test_that_a_browser_leaves_a_page_is_logged_with_its_request_and_its_own_address(stack):
    with stack.another_web(TRUSTED_PROXIES="127.0.0.1") as web:
        log = stack.daphne.log.parent / f"daphne-{web.rpartition(':')[2]}.log"
        visit = Visit(web)
        headers = {"Cookie": visit.cookies, "X-Forwarded-For": "203.0.113.9"}
        with visit.connect(origin=stack.url, additional_headers=headers) as page:
            page.recv(timeout=10)

        def said(what):
            return [line for line in logfmt.lines(log.read_text()) if line["message"] == f"Socket {what}"]

        eventually(lambda: said("disconnected /ws/shop/"), seconds=10)
        [came], [left] = said("connected /ws/shop/"), said("disconnected /ws/shop/")
    assert came["client"] == left["client"] == "203.0.113.9"
    assert came["request"] == left["request"]


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_we_fail_is_logged_with_why_it_is_closed(shopper, monkeypatch, caplog):
    caplog.handler.setFormatter(Formatter())
    page = await live(shopper)
    [one] = hub().pages
    monkeypatch.setattr(one, "_send", None)

    await an_order(shopper)
    assert await page.closes() == 1011

    [line] = [line for line in logfmt.lines(caplog.text) if line["message"] == "Socket closed"]
    assert (line["code"], line["why"]) == ("1011", "what it should be sent cannot be sent")
