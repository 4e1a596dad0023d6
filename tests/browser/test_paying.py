"""Buying and paying: every window follows by itself."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import (
    DECLINED_CARD,
    GOOD_CARD,
    buy,
    choose,
    fill_in,
    has_in_stock,
    in_stock,
    is_live,
    mark,
    marked,
    pay,
    shows,
)

pytestmark = pytest.mark.browser


def test_a_payment_turns_every_window_of_the_shopper_to_paid_without_a_reload(arrive):
    ada, stranger = arrive(), arrive().window()
    window, second = ada.window(), ada.window()
    before = in_stock(stranger, "counter-bell")
    mark(second, stranger)

    choose(window, "Counter bell", 2)
    expect(window.locator("#cart")).to_contain_text("2 × Counter bell")
    buy(window)
    shows(second, "pending", within="#orders")
    has_in_stock(stranger, "counter-bell", before - 2)
    own_page = ada.window(second.locator("#orders a").first.get_attribute("href"))
    mark(own_page)

    pay(window)

    shows(window, "paid")
    shows(own_page, "paid")
    shows(second, "paid", within="#orders")
    has_in_stock(second, "counter-bell", before - 2)
    assert marked(own_page)
    assert marked(second)
    assert marked(stranger)
    expect(stranger.locator("#orders [data-payment-status]")).to_have_count(0)


def test_who_cancels_on_the_hosted_page_finds_the_cart_as_it_was(arrive):
    window = arrive().window()
    choose(window, "Door chime", 2)
    choose(window, "Bicycle bell")
    buy(window)
    session = window.url

    window.click("#cancel")

    window.wait_for_url(re.compile("/\\?quantity-"))
    expect(window.get_by_text("You came back without paying.")).to_be_visible()
    expect(window.get_by_label("Door chime", exact=True)).to_have_value("2")
    expect(window.get_by_label("Bicycle bell", exact=True)).to_have_value("1")
    buy(window)
    assert window.url == session


def test_after_the_back_button_buy_works_again_and_leads_to_the_same_session(arrive):
    window = arrive().window()
    choose(window, "Bicycle bell", 3)
    buy(window)
    session = window.url

    window.go_back()

    expect(window.get_by_role("button", name="Buy")).to_be_enabled()
    is_live(window)
    expect(window.get_by_label("Bicycle bell", exact=True)).to_have_value("3")
    buy(window)
    assert window.url == session


def test_a_double_click_makes_one_order(arrive):
    ada = arrive()
    window, second = ada.window(), ada.window()
    choose(window, "Bicycle bell")

    window.get_by_role("button", name="Buy").dblclick()

    window.wait_for_url("**/c/pay/**")
    shows(second, "pending", within="#orders")
    second.reload()
    is_live(second)
    expect(second.locator("#orders > li")).to_have_count(1)


def test_a_declined_card_can_be_followed_by_a_better_one(arrive):
    # A browser notes every 402 in its console.
    ada = arrive(trouble="status of 402")
    window, second = ada.window(), ada.window()
    mark(second)
    choose(window, "Bicycle bell")
    buy(window)

    fill_in(window, DECLINED_CARD)
    window.click("#pay")

    expect(window.get_by_role("alert")).to_contain_text("declined")
    shows(second, "pending", within="#orders")

    window.fill("#cardNumber", GOOD_CARD)
    window.fill("#cardCvc", "123")
    window.click("#pay")

    window.wait_for_url("**/orders/**")
    shows(window, "paid")
    shows(second, "paid", within="#orders")
    assert marked(second)


def test_the_keyboard_alone_is_enough(arrive):
    window = arrive().window()

    def tab_to(selector: str) -> None:
        for _ in range(40):
            window.keyboard.press("Tab")
            if window.locator(selector).evaluate("element => element === document.activeElement"):
                return
        pytest.fail(f"Tab never reached {selector}")

    window.keyboard.press("Tab")
    expect(window.locator(":focus")).to_have_text("Skip to the content")
    window.keyboard.press("Enter")
    tab_to("[aria-label='One Counter bell more']")
    window.keyboard.press("Enter")
    window.keyboard.press("Space")
    expect(window.get_by_label("Counter bell", exact=True)).to_have_value("2")
    window.keyboard.press("Shift+Tab")
    window.keyboard.press("ArrowUp")
    tab_to("[name='quantity-door-chime']")
    window.keyboard.type("1")
    expect(window.locator("#cart")).to_contain_text("3 × Counter bell")
    expect(window.locator("#cart")).to_contain_text("1 × Door chime")
    tab_to("#buy-button")
    window.keyboard.press("Enter")
    window.wait_for_url("**/c/pay/**")

    for field, text in (
        ("#email", "ada@example.com"),
        ("#cardNumber", "4242424242424242"),
        ("#cardExpiry", "1234"),
        ("#cardCvc", "123"),
        ("#billingName", "Ada Lovelace"),
    ):
        tab_to(field)
        window.keyboard.type(text)
    tab_to("#pay")
    window.keyboard.press("Enter")

    window.wait_for_url("**/orders/**")
    shows(window, "paid")


def test_steppers_keep_to_what_can_be_bought(arrive):
    window = arrive().window()
    field = window.get_by_label("Bicycle bell", exact=True)
    more = window.get_by_role("button", name="One Bicycle bell more")
    less = window.get_by_role("button", name="One Bicycle bell less")

    less.click()
    expect(field).to_have_value("0")
    field.fill("98")
    more.click()
    more.click()
    expect(field).to_have_value("99")
    field.fill("")
    field.blur()
    expect(field).to_have_value("0")
    expect(window.locator("#cart")).not_to_contain_text("Bicycle bell")


def test_without_javascript_one_can_buy_and_pay(arrive):
    ada = arrive(java_script_enabled=False)
    window = ada.context.new_page()
    window.goto(ada.url)
    expect(window.get_by_role("button", name="One Counter bell more")).to_have_count(0)
    window.get_by_label("Counter bell", exact=True).fill("1")
    window.get_by_label("Door chime", exact=True).fill("2")
    buy(window)

    pay(window)

    shows(window, "paid")
    window.goto(ada.url)
    shows(window, "paid", within="#orders")
    expect(window.locator("#orders > li").first).to_contain_text("2 × Door chime")
