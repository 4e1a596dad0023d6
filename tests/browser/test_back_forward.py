"""Back to a page that was left: its browser asks for it anew, or has kept it as it was, with a dead socket.

Which of the two is the browser's choice, and each test holds either way. `pageshow` tells, and the test's
record has it: `persisted` in what --junit-xml writes.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import buy, choose, has_in_stock, in_stock, is_live, pay, shows
from tests.browser.launch import beside

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(browser: Browser) -> Iterator[Browser]:
    """One that keeps pages for the way back, as people's do."""
    with beside(browser, without=["--disable-back-forward-cache"]) as keeping:
        yield keeping


@pytest.fixture(params=["as we send it", "as if we let it be stored"])
def lived_in(request: pytest.FixtureRequest) -> Callable[[Page], None]:
    """Have a window load its page again, and remember how."""

    def reload(page: Page) -> None:
        page.add_init_script("addEventListener('pageshow', event => { window.kept = event.persisted })")
        if request.param == "as if we let it be stored":
            allow_to_store(page)
        page.reload()
        is_live(page)

    return reload


def allow_to_store(page: Page) -> None:
    """Take `no-store` from what the page loads: with it, Chromium keeps no page that has a socket."""
    line = page.context.new_cdp_session(page)

    def hand_on(paused: dict[str, Any]) -> None:
        headers = [
            header for header in paused["responseHeaders"] if header["name"].lower() != "cache-control"
        ]
        answer = {"responseCode": paused["responseStatusCode"], "responseHeaders": headers}
        line.send("Fetch.continueResponse", {"requestId": paused["requestId"], **answer})

    line.on("Fetch.requestPaused", hand_on)
    line.send("Fetch.enable", {"patterns": [{"resourceType": "Document", "requestStage": "Response"}]})


def go_back(page: Page) -> None:
    page.go_back(wait_until="commit")  # a page that was kept is not loaded


def record(request: pytest.FixtureRequest, page: Page) -> None:
    request.node.user_properties.append(("persisted", page.evaluate("kept")))


def test_a_shopper_who_goes_back_to_the_shop_sees_what_was_paid_meanwhile(arrive, lived_in, request):
    """Chromium 156 loads ours again (`persisted` false): it is no-store and has a socket. One that may be
    stored it keeps (`persisted` true), and the page connects again and catches up.
    """
    ada = arrive()
    window, shop = ada.window(), ada.window()
    lived_in(shop)
    before = in_stock(shop, "bicycle-bell")
    choose(window, "Bicycle bell")
    buy(window)
    shows(shop, "pending", within="#orders")
    shop.goto(f"{ada.url}/orders/find/")
    pay(window)
    shows(window, "paid")

    go_back(shop)

    shows(shop, "paid", within="#orders")
    has_in_stock(shop, "bicycle-bell", before - 1)
    is_live(shop)
    record(request, shop)


def test_staff_who_go_back_to_the_dashboard_see_the_orders_of_meanwhile(dashboard, buys, lived_in, request):
    """Chromium 156 does with it as with the shop's page."""
    page = dashboard()
    lived_in(page)
    earlier = buys()
    expect(page.locator(f"#{earlier}")).to_be_visible()
    page.goto(page.url.replace("/dashboard/", "/orders/find/"))
    later = buys()

    go_back(page)

    for row in (earlier, later):
        expect(page.locator(f"#{row} [data-payment-status]").first).to_have_attribute(
            "data-payment-status", "paid"
        )
    is_live(page)
    record(request, page)
