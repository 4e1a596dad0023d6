"""What the dashboard shows and hides: amounts, the time that is left, and all but the figures."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import (
    buy,
    choose,
    is_live,
)
from tests.browser.staff_list import first_is, is_paused, press, reload

pytestmark = pytest.mark.browser


def test_hidden_amounts_are_readable_for_nobody_and_stay_so_over_a_reload_and_a_push(dashboard, buys):
    buys()
    window = dashboard()
    expect(window.locator("main")).to_contain_text("€12.50")
    in_words = window.locator("body").aria_snapshot
    assert "€" in in_words()
    press(window, "Hide amounts")
    newest = buys()
    first_is(window, newest)

    amounts = window.locator(".amount:not(th)")
    assert amounts.evaluate_all("all => all.every((one) => getComputedStyle(one).visibility === 'hidden')")
    assert "€" not in window.locator("main").inner_text()
    assert "€" not in in_words()
    reload(window)
    assert "€" not in window.locator("main").inner_text()
    assert "€" not in in_words()

    press(window, "Hide amounts")
    expect(window.locator(f"#{newest} .amount")).to_have_css("visibility", "visible")
    assert "€" in in_words()


def test_nobody_refunds_what_they_do_not_see(dashboard, buys):
    row = buys()
    window = dashboard()
    window.locator(f"#{row} a").click()
    window.locator("#detail summary").get_by_text("Refund", exact=True).click()
    window.get_by_label("Amount in EUR").fill("1")
    window.get_by_role("button", name="Refund", exact=True).click()
    expect(window.locator("#answer")).to_contain_text("€1.00 goes back")

    press(window, "Hide amounts")
    expect(window.locator("#answer")).to_be_empty()
    expect(window.get_by_text("Show amounts to refund.")).to_be_visible()
    expect(window.get_by_label("Amount in EUR")).to_be_hidden()
    press(window, "Hide amounts")
    expect(window.get_by_label("Amount in EUR")).to_be_visible()


def test_an_open_checkout_tells_the_seconds_that_are_left(dashboard, arrive):
    page = arrive().window()
    choose(page, "Bicycle bell")
    buy(page)
    window = dashboard()
    left = window.locator(".checkout-left").last
    expect(left).to_have_text(re.compile(r"^\d?\d:\d\d left$"))
    before = left.inner_text()
    expect(left).not_to_have_text(before)

    left.evaluate("time => (time.dataset.until -= 7200)")
    expect(left).to_have_text("over")


def test_the_time_left_is_by_the_shops_clock(dashboard, arrive):
    page = arrive().window()
    choose(page, "Bicycle bell")
    buy(page)
    window = dashboard()
    left = window.locator(".checkout-left").last
    expect(left).to_have_text(re.compile("left$"))
    window.clock.install()
    window.clock.fast_forward("03:00:00")
    window.reload()
    is_live(window)
    expect(left).to_have_text(re.compile(r"^\d?\d:\d\d left$"))


def test_on_the_wall_nothing_is_shown_but_the_figures_and_the_way_out(dashboard, buys):
    row = buys()
    window = dashboard()
    press(window, "Full screen")
    expect(window.get_by_role("banner")).to_be_hidden()
    expect(window.get_by_role("search")).to_be_hidden()
    expect(window.get_by_role("button", name="Sound")).to_be_hidden()
    expect(window.locator(f"#{row}")).to_be_visible()
    expect(window.get_by_role("button", name="Pause")).to_be_hidden()
    window.keyboard.press("p")
    expect(window.get_by_role("button", name="Paused")).to_be_visible()
    is_paused(window)
    press(window, "Leave full screen")
    expect(window.get_by_role("banner")).to_be_visible()
