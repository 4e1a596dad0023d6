"""A login or logout in one window sets the other windows right."""

import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import buy, choose, is_live, pay, shows

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


def sign_up(page: Page) -> None:
    page.get_by_role("link", name="Sign up").first.click()
    name = f"ada-{uuid.uuid4().hex[:8]}"
    page.get_by_label("Username").fill(name)
    page.get_by_label("Email").fill(f"{name}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Make my account").click()


def log_out(page: Page) -> None:
    page.get_by_text("Account", exact=True).click()
    page.get_by_role("button", name="Log out").click()


def test_signing_up_takes_the_guests_orders_along_and_logging_out_leaves_none_behind(arrive):
    ada = arrive()
    window, second = ada.window(), ada.window()
    choose(window, "Bicycle bell")
    buy(window)
    pay(window)
    shows(second, "paid", within="#orders")

    sign_up(window)

    is_live(window)
    shows(window, "paid", within="#orders")
    # The other window was the guest's. It finds its session over, and loads itself once.
    expect(second.get_by_text("Account", exact=True)).to_be_visible()
    is_live(second)
    shows(second, "paid", within="#orders")

    log_out(window)

    expect(window.locator("#orders > li")).to_have_count(0)
    expect(second.get_by_role("link", name="Log in")).to_be_visible()
    expect(second.locator("#orders > li")).to_have_count(0)
    is_live(second)


def test_an_order_is_closed_to_who_logged_out(arrive):
    # The browser notes the 404 that the window then shows.
    ada = arrive(trouble="status of 404")
    window = ada.window()
    sign_up(window)
    is_live(window)
    choose(window, "Bicycle bell")
    buy(window)
    pay(window)
    shows(window, "paid")
    own_page = ada.window(window.url.removeprefix(ada.url).split("?")[0])

    window.goto(ada.url)
    log_out(window)

    expect(own_page.get_by_role("heading", name="Not found")).to_be_visible()
