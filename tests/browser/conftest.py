"""A real browser before the running shop.

The browser lives as long as this package and no longer: while Playwright's sync API is open, no other
test can run an event loop of its own.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.launch import running_browser
from tests.browser.windowless import buy_a_bell
from tests.stack import Stack

PATIENCE = 15_000
"""Milliseconds after which what does not show is missing: three patrols."""
GOOD_CARD, DECLINED_CARD = "4242 4242 4242 4242", "4000 0000 0000 0002"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with running_browser() as browser:
        yield browser


class Shopper:
    """One browser profile: its own cookies, any number of windows. `complaints` is what the console said."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.context = context
        self.complaints: list[str] = []
        context.set_default_timeout(PATIENCE)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def window(self, path: str = "/") -> Page:
        """A new window at `path`, live."""
        page = self.context.new_page()
        page.goto(self.url + path)
        is_live(page)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.type}: {message.text}")


@pytest.fixture
def arrive(browser: Browser, stack: Stack) -> Iterator[Callable[..., Shopper]]:
    """Make a new shopper; in the end, no console may have said anything, but for what `trouble` explains."""
    shoppers: list[tuple[Shopper, str]] = []

    def make(*, trouble: str = "", **options: Any) -> Shopper:
        # Without a graphics card each animated window would keep a processor busy.
        context = browser.new_context(**{"reduced_motion": "reduce"} | options)
        shopper = Shopper(context, stack.url)
        shoppers.append((shopper, trouble))
        return shopper

    yield make
    for shopper, _ in shoppers:
        shopper.context.close()
    for shopper, trouble in shoppers:
        assert [words for words in shopper.complaints if not trouble or not re.search(trouble, words)] == []


@pytest.fixture
def staff(arrive: Callable[..., Shopper], stack: Stack) -> Callable[..., Page]:
    """Open staff's window at the order that a shopper's window shows, in a profile of its own.

    Asked, they are sure.
    """

    def open_window(own_page: Page, **options: Any) -> Page:
        profile = arrive(**options)
        page = profile.context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{profile.url}/dashboard{path_of(own_page)}")
        page.get_by_label("Username").fill(stack.env["STAFF_USERNAME"])
        page.get_by_label("Password").fill(stack.env["STAFF_PASSWORD"])
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Goods and money")).to_be_visible()
        if options.get("java_script_enabled", True):
            is_live(page)
        return page

    return open_window


@pytest.fixture
def dashboard(arrive: Callable[..., Shopper], stack: Stack) -> Callable[..., Page]:
    """Open the dashboard as staff, each time in a profile of its own.

    Asked, they are sure.
    """

    def open_window(path: str = "/dashboard/", **options: Any) -> Page:
        profile = arrive(**options)
        page = profile.context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(profile.url + path)
        page.get_by_label("Username").fill(stack.env["STAFF_USERNAME"])
        page.get_by_label("Password").fill(stack.env["STAFF_PASSWORD"])
        page.get_by_role("button", name="Log in").click()
        is_live(page)
        return page

    return open_window


@pytest.fixture(scope="module")
def bells_enough(stack: Stack) -> None:
    """Those that the shop begins with are for all journeys together."""
    with psycopg.connect(stack.database.url, autocommit=True) as connection:
        connection.execute("UPDATE shop_product SET stock = stock + 100 WHERE slug = 'bicycle-bell'")


@pytest.fixture
def buys(stack: Stack, bells_enough: None) -> Callable[[], str]:
    """Have somebody without a window buy a bicycle bell, €12.50; returns the id of the order's row."""
    return lambda: row_at(buy_a_bell(stack.url))


def row_at(url: str) -> str:
    """The id in staff's list of the order with this address."""
    found = re.search(r"/orders/([0-9a-f-]{36})/", url)
    assert found is not None
    return f"row-{found[1]}"


def path_of(page: Page) -> str:
    """Of the order that a window shows."""
    found = re.search(r"/orders/[0-9a-f-]{36}/", page.url)
    assert found is not None
    return found[0]


# --- what shoppers see ----------------------------------------------------------------------------


def is_live(page: Page) -> None:
    expect(page.locator('#freshness[data-state="live"]')).to_be_attached()


def shows(page: Page, status: str, within: str = "main") -> None:
    """The newest order there has this payment status."""
    expect(page.locator(f"{within} [data-payment-status]").first).to_have_attribute(
        "data-payment-status", status
    )


def in_stock(page: Page, slug: str) -> int:
    return int(page.locator(f"#stock-{slug}").get_attribute("data-available") or "-1")


def has_in_stock(page: Page, slug: str, units: int) -> None:
    expect(page.locator(f"#stock-{slug}")).to_have_attribute("data-available", str(units))


def mark(*pages: Page) -> None:
    """Remember that it was never reloaded; `marked` tells whether that is still so."""
    for page in pages:
        page.evaluate("window.neverReloaded = true")


def marked(page: Page) -> bool:
    return bool(page.evaluate("window.neverReloaded === true"))


# --- what shoppers do -----------------------------------------------------------------------------


def choose(page: Page, name: str, units: int = 1) -> None:
    for _ in range(units):
        page.get_by_role("button", name=f"One {name} more").click()


def buy(page: Page) -> None:
    """Press Buy and arrive at the hosted page."""
    page.get_by_role("button", name="Buy").click()
    page.wait_for_url("**/c/pay/**")


def fill_in(page: Page, card: str = GOOD_CARD) -> None:
    page.fill("#email", "ada@example.com")
    page.fill("#cardNumber", card)
    page.fill("#cardExpiry", "12/34")
    page.fill("#cardCvc", "123")
    page.fill("#billingName", "Ada Lovelace")


def pay(page: Page) -> None:
    """Pay on the hosted page and come back to the order's."""
    fill_in(page)
    page.click("#pay")
    page.wait_for_url("**/orders/**")


def bought_by(shopper: Shopper, name: str = "Bicycle bell", units: int = 1) -> Page:
    """Her window, live, at an order of these that she has just paid."""
    window = shopper.window()
    choose(window, name, units)
    buy(window)
    pay(window)
    shows(window, "paid")
    is_live(window)
    return window


def left_at_stripe(shopper: Shopper) -> Page:
    """Her window, live, at an order of a bicycle bell whose payment page stands open in another."""
    shop = shopper.window()
    choose(shop, "Bicycle bell")
    buy(shop)
    own = shopper.window()
    own.locator("#orders a").first.click()
    shows(own, "pending")
    is_live(own)
    return own


def number_of(own: Page) -> str:
    """Of the order that a shopper's window shows."""
    found = re.search("[0-9A-F]{8}", own.locator("main").inner_text())
    assert found is not None
    return found[0]
