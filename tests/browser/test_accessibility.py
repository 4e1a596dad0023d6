"""axe finds nothing to complain of, in light and dark, wide and narrow."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import buy, choose, is_live, pay, shows

pytestmark = pytest.mark.browser

axe = Axe()
# Dark differs from light in nothing but colours.
SCHEMES: dict[Literal["light", "dark"], dict[str, list[str]]] = {
    "light": {},
    "dark": {"runOnly": ["color-contrast"]},
}


@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_of_the_shop_is_accessible_and_as_wide_as_the_screen(arrive, width):
    # The browser notes the refused cart and the missing page, which are looked at as well.
    ada = arrive(viewport={"width": width, "height": 800}, trouble="status of 422|status of 404")
    window = ada.window()
    complaints = found_on(window, "the empty shop")

    choose(window, "Counter bell", 2)
    expect(window.locator("#cart")).to_contain_text("2 × Counter bell")
    complaints += found_on(window, "the shop with a cart")
    buy(window)
    complaints += found_on(window, "the payment page")
    pending = ada.window()
    shows(pending, "pending", within="#orders")
    complaints += found_on(pending, "the shop with an order")
    pending.locator("#orders a").first.click()
    shows(pending, "pending")
    is_live(pending)
    complaints += found_on(pending, "the pending order")
    pay(window)
    shows(pending, "paid")
    complaints += found_on(pending, "the paid order")

    for path in (
        "/orders/",
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/password_reset/",
        "/orders/find/",
        "/orders/find/sent/",
        "/orders/link/wrong/",
        "/nowhere/",
    ):
        window.goto(ada.url + path)
        complaints += found_on(window, path)
    window.goto(ada.url)
    window.get_by_role("button", name="Buy").click()
    expect(window.get_by_role("alert").first).to_be_visible()
    complaints += found_on(window, "the refused cart")

    assert complaints == []


@pytest.mark.parametrize("width", [1280, 360])
def test_an_orders_life_and_staffs_page_of_it_are_accessible_and_as_wide_as_the_screen(arrive, staff, width):
    screen = {"viewport": {"width": width, "height": 800}}
    window = arrive(**screen).window()
    choose(window, "Bicycle bell", 2)
    buy(window)
    pay(window)
    shows(window, "paid")
    is_live(window)
    # The browser notes the amount that is refused.
    desk = staff(window, trouble="status of 422", **screen)
    for fold in desk.locator("details[data-action] > summary:visible").all():
        fold.click()
    desk.get_by_label("Amount in EUR").fill("a lot")
    desk.get_by_role("button", name="Refund", exact=True).click()
    expect(desk.get_by_text("Type an amount")).to_be_visible()
    complaints = found_on(desk, "staff's page of a paid order")

    desk.get_by_label("Amount in EUR").fill("5")
    desk.get_by_role("button", name="Refund", exact=True).click()
    expect(window.locator(".refunded")).to_be_visible()
    for button in ("Prepare it", "It is on its way", "It was delivered"):
        complaints += found_on(desk, f"staff's page before “{button}”")
        desk.get_by_role("button", name=button, exact=True).click()
        expect(desk.get_by_role("button", name=button, exact=True)).to_be_hidden()
        complaints += found_on(window, f"the order after “{button}”")
    window.goto(window.url.split("/orders/")[0] + "/orders/")
    complaints += found_on(window, "the list with an order that was delivered")

    assert complaints == []


@pytest.mark.parametrize("width", [1280, 360])
def test_the_dashboard_is_accessible_and_as_wide_as_the_screen(arrive, dashboard, width):
    screen = {"viewport": {"width": width, "height": 800}}
    desk = dashboard("/dashboard/?q=nothing+like+this", **screen)
    complaints = found_on(desk, "a list that is empty")
    desk.goto(desk.url.split("?")[0])
    is_live(desk)
    window = arrive().window()
    choose(window, "Bicycle bell", 2)
    buy(window)
    expect(desk.locator("#checkouts button")).not_to_have_count(0)
    complaints += found_on(desk, "the dashboard with an open checkout")
    pay(window)
    shows(window, "paid")
    for fold in desk.locator("main details > summary:visible").all():
        fold.click()
    complaints += found_on(desk, "the dashboard with everything unfolded")
    desk.get_by_role("button", name="Hide amounts").click()
    desk.get_by_role("button", name="Pause").click()
    complaints += found_on(desk, "the dashboard, held still, without amounts")
    desk.get_by_role("button", name="Pause").click()
    desk.get_by_role("button", name="Hide amounts").click()
    desk.locator("#payments a").first.click()
    expect(desk.get_by_role("heading", name="Goods and money")).to_be_visible()
    complaints += found_on(desk, "an order, beside the list if there is room")
    if desk.locator("#detail").count():
        desk.keyboard.press("Escape")
    else:
        desk.go_back()
        is_live(desk)
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog")).to_be_visible()
    complaints += found_on(desk, "the keys")
    desk.keyboard.press("Escape")

    desk.get_by_role("link", name="Webhooks", exact=True).click()
    is_live(desk)
    expect(desk.locator("#recorder li").first).to_be_visible()
    complaints += found_on(desk, "the flight recorder")
    desk.get_by_role("link", name="Payload").first.click()
    expect(desk.get_by_role("heading", name="What Stripe signed")).to_be_visible()
    complaints += found_on(desk, "a payload")

    assert complaints == []


def found_on(page: Page, name: str) -> list[str]:
    """What axe says, in light and dark, and whether one has to scroll sideways."""
    found = []
    page.evaluate(axe.axe_script)
    for scheme, only in SCHEMES.items():
        page.emulate_media(color_scheme=scheme)
        result = page.evaluate("options => axe.run(options)", {"resultTypes": ["violations"]} | only)
        found += [
            f"{name}, {scheme}: {violation['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        found.append(f"{name}: wider than the screen")
    return found
