"""Pictures of a running shop: those for README, or every page as phones, desktops and walls show it.

    python -m sandbox.screenshots [--url http://127.0.0.1:8000/] [--all DIRECTORY]

Buys and pays on the local Stripe, as a shopper of its own; sees the dashboard as the demo's manager, by the
password in MANAGER_PASSWORD or the one that is kept in DATA_DIR.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from sandbox import chromium
from sandbox.environment import password_of

DOCS = Path(__file__).parent.parent / "docs"
DESKTOP: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}
WALL: ViewportSize = {"width": 2560, "height": 1440}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
CARD = {
    "#email": "shopper@example.com",
    "#cardNumber": "4242424242424242",
    "#cardExpiry": "12/34",
    "#cardCvc": "123",
    "#billingName": "A. Shopper",
}
STAFFS = {"dashboard": "/dashboard/", "webhooks": "/dashboard/webhooks/"}
SIMPLE = {
    "login": "/accounts/login/",
    "signup": "/accounts/signup/",
    "password-reset": "/accounts/password_reset/",
    "not-found": "/nothing-here/",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.screenshots", description=__doc__.split("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000/", help="the running shop")
    parser.add_argument("--all", type=Path, metavar="DIRECTORY", help="take every page, into here")
    options = parser.parse_args(arguments)
    executable = chromium.find()
    if executable is None:
        print(chromium.WHAT_TO_INSTALL, file=sys.stderr)
        return 1
    with sync_playwright() as playwright:
        # Without its sandbox, because Chromium has none when root starts it; it sees our own pages only.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for path in take(browser, options.url, options.all):
            print(path)
    return 0


def take(browser: Browser, url: str, every: Path | None) -> Iterator[Path]:
    context = browser.new_context(base_url=url, locale="en-GB", viewport=DESKTOP, color_scheme="light")
    page = context.new_page()
    paid = buy(page, {"counter-bell": 1, "door-chime": 1}, pays=True)
    pending = buy(page, {"bicycle-bell": 2}, pays=False)
    cart = "/?quantity-counter-bell=2&quantity-bicycle-bell=1"
    desk = log_in(browser, url)
    if every is None:
        for window, path, name in ((page, cart, "screenshot"), (desk, "/dashboard/", "dashboard")):
            show(window, path, live=True)
            window.screenshot(path=DOCS / f"{name}.png", full_page=name == "screenshot")
            yield DOCS / f"{name}.png"
        return
    live = {"shop": cart, "orders": "/orders/", "order-paid": paid, "order-pending": pending}
    for name, path in live.items():
        yield from pictures(page, name, path, every, live=True)
    for name, path in SIMPLE.items():
        yield from pictures(page, name, path, every, live=False)
    for name, path in STAFFS.items():
        yield from pictures(desk, name, path, every, live=True)


def log_in(browser: Browser, url: str) -> Page:
    """A window of the demo's manager."""
    context = browser.new_context(base_url=url, locale="en-GB", viewport=DESKTOP, color_scheme="light")
    page = context.new_page()
    page.goto("/accounts/login/?next=/dashboard/")
    page.fill("[name=username]", "manager")
    page.fill("[name=password]", password_of("manager"))
    page.click("main form button")
    return page


def buy(page: Page, quantities: dict[str, int], *, pays: bool) -> str:
    """Path of the order's page. Without paying, the shopper just leaves Stripe's page."""
    show(page, "/", live=True)
    for slug, quantity in quantities.items():
        page.fill(f"[name=quantity-{slug}]", str(quantity))
    page.click("#buy-button")
    page.wait_for_selector("#pay")
    if pays:
        for field, text in CARD.items():
            page.fill(field, text)
        page.click("#pay")
        page.wait_for_selector('[data-payment-status="paid"]')
    show(page, "/", live=True)
    return page.get_attribute("#orders li:first-child a", "href") or ""


def show(page: Page, path: str, *, live: bool) -> None:
    page.goto(path)
    if live:
        page.wait_for_selector('#freshness[data-state="live"]')
    page.mouse.move(0, 0)


def pictures(page: Page, name: str, path: str, directory: Path, *, live: bool) -> Iterator[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    show(page, path, live=live)
    for size in (PHONE, DESKTOP, WALL):
        for scheme in SCHEMES:
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            file = directory / f"{name}-{size['width']}-{scheme}.png"
            page.screenshot(path=file, full_page=True, animations="disabled")
            yield file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
