"""The dashboard by keys alone."""

import pytest
from playwright.sync_api import expect

from tests.browser.staff_list import first_is, reload

pytestmark = pytest.mark.browser


def test_the_list_is_walked_and_an_order_read_and_closed_by_keys_alone(dashboard, buys):
    second, first = buys(), buys()
    window = dashboard()
    first_is(window, first)

    window.keyboard.press("j")
    expect(window.locator(f"#{first} a")).to_be_focused()
    window.keyboard.press("j")
    expect(window.locator(f"#{second} a")).to_be_focused()
    window.keyboard.press("k")
    window.keyboard.press("k")
    expect(window.locator(f"#{first} a")).to_be_focused()
    window.keyboard.press("j")
    window.keyboard.press("Enter")
    expect(window.locator("#detail")).to_be_focused()
    expect(window.locator("#detail .payment-page")).to_be_visible()
    expect(window.locator(f"#detail [id='payment-{second[4:]}']")).to_be_attached()
    assert "/dashboard/orders/" not in window.url

    window.keyboard.press("Escape")
    expect(window.locator("#detail")).to_be_empty()
    expect(window.locator(f"#{second} a")).to_be_focused()
    # The order's connection was closed with it: that is no trouble.
    expect(window.locator("#freshness")).to_have_attribute("data-state", "live")


def test_what_is_typed_is_no_command(dashboard, buys):
    buys()
    window = dashboard()
    window.keyboard.press("/")
    search = window.get_by_label("Search")
    expect(search).to_be_focused()
    window.keyboard.type("jp?/")
    expect(search).to_have_value("jp?/")
    expect(window.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")


def test_the_keys_are_listed_and_can_be_switched_off(dashboard, buys):
    buys()
    window = dashboard()
    window.keyboard.press("?")
    keys = window.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    window.keyboard.press("p")
    keys.get_by_role("button", name="Keys off").click()
    keys.get_by_role("button", name="Close").click()
    expect(keys).to_be_hidden()

    reload(window)
    window.keyboard.press("p")
    window.keyboard.press("j")
    expect(window.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")
    expect(window.locator("body")).to_be_focused()


def test_who_acts_by_keys_goes_on_where_the_order_is_and_its_answer_goes_with_it(dashboard, buys):
    row = buys()
    window = dashboard()
    window.locator(f"#{row} a").click()
    window.get_by_role("button", name="Prepare it", exact=True).press("Enter")
    expect(window.locator("#answer")).to_contain_text("Now:")
    expect(window.get_by_role("heading", name="What to do")).to_be_focused()

    window.keyboard.press("Escape")
    expect(window.locator("#answer")).to_be_empty()
    expect(window.locator(f"#{row} a")).to_be_focused()
