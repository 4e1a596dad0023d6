"""The local Stripe's control page in a real browser, with JavaScript and without, and from elsewhere."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.local_stripe import DECLINED_CARD, LocalStripe

pytestmark = pytest.mark.browser

JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    with LocalStripe(
        tmp_path_factory.mktemp("stripe"),
        SANDBOX_STRIPE_WEBHOOKS="http://127.0.0.1:1/stripe-webhook/|whsec_1",
        SANDBOX_STRIPE_RETRY_SECONDS="600",
    ) as running:
        yield running


@contextmanager
def open_page(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    context = browser.new_context(**{"reduced_motion": "reduce"} | options)
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


def newest(page: Page) -> Any:
    return page.locator("#payments .row").first


def seen(local: LocalStripe) -> Any:
    return local.browser.get(local.url, headers=JSON).json()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_the_buttons_do_what_they_say(browser: Browser, local: LocalStripe, scripts: bool) -> None:
    local.pay(local.checkout())
    with open_page(browser, local.url, java_script_enabled=scripts) as page:
        newest(page).get_by_label("Amount to refund").fill("9.99")
        newest(page).get_by_role("button", name="Refund").click()
        expect(newest(page)).to_contain_text("partly refunded")
        newest(page).get_by_role("button", name="Open dispute").click()
        newest(page).get_by_role("button", name="Win dispute").click()
        expect(newest(page)).to_contain_text("dispute: won")

        page.get_by_role("button", name="Switch off").click()
        page.get_by_role("button", name="Switch on").click()
        page.get_by_role("button", name="Roll secret").click()
        page.get_by_role("button", name="Expire old secret now").click()
        expect(page.locator("#endpoints code.copy")).to_have_count(1)

        page.get_by_label("Duplicate").fill("25")
        page.get_by_role("button", name="Set chaos").click()
        expect(page.get_by_label("Duplicate")).to_have_value("25")
        page.get_by_role("button", name="All off").click()
        expect(page.get_by_label("Duplicate")).to_have_value("0")


def test_news_appear_by_themselves_and_disturb_nobody_who_types(browser: Browser, local: LocalStripe) -> None:
    local.pay(local.checkout(), email="first@example.com")
    with open_page(browser, local.url) as page:
        local.pay(local.checkout(), email="second@example.com")
        expect(newest(page)).to_contain_text("second@example.com")

        newest(page).get_by_label("Amount to refund").fill("1.00")
        local.pay(local.checkout(), email="third@example.com")
        expect(page.locator("#events .row").first).to_contain_text(seen(local)["events"][0]["id"])
        expect(newest(page)).to_contain_text("second@example.com")
        expect(newest(page).get_by_label("Amount to refund")).to_have_value("1.00")


def test_a_page_from_elsewhere_cannot_press_a_button(browser: Browser, local: LocalStripe) -> None:
    """In another window of the same browser, by a form, by fetch, and in a frame."""
    action = f"{local.url}/control/chaos"
    page_of_a_stranger = f"""<!doctype html>
        <form method="post" action="{action}"><input name="drop" value="100"><button>Win</button></form>
        <iframe src="{local.url}"></iframe>"""
    with serving(page_of_a_stranger) as elsewhere, open_page(browser, elsewhere) as page:
        refused = "url => fetch(url, {method: 'POST', mode: 'no-cors', body: 'drop=100'}).then(a => a.type)"
        assert page.evaluate(refused, action) == "opaque"
        assert page.frames[1].url.startswith("chrome-error:")
        page.get_by_role("button").click()
        expect(page.locator("body")).to_contain_text("Only the control page itself may do this.")

    assert seen(local)["chaos"]["drop"] == 0


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_as_wide_as_the_screen(
    browser: Browser, local: LocalStripe, width: int, scheme: Any
) -> None:
    local.pay(local.checkout(), DECLINED_CARD)
    local.pay(local.checkout(), email="somebody.with.a.very.long.address@a.very.long.company.example.com")
    size = {"width": width, "height": 800}
    with open_page(browser, local.url, viewport=size, color_scheme=scheme) as page:
        assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@contextmanager
def serving(page: str) -> Iterator[str]:
    """A page of somebody else, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_args: object) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
