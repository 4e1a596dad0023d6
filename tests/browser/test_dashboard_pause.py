"""The dashboard is held still: nothing moves under the reader's eyes, and nothing is lost."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import (
    is_live,
    mark,
    marked,
)
from tests.browser.staff_list import HEAR_NOTHING, ROWS, first_is, is_paused, press, reload

pytestmark = pytest.mark.browser


def test_a_screen_that_is_held_still_counts_what_waits_and_shows_it_when_it_goes_on(dashboard, buys):
    known = buys()
    window, other = dashboard(), dashboard()
    first_is(window, known)
    mark(window)
    payments = window.locator('[data-number="payments"] .number-today').inner_text()

    press(window, "Pause")
    newest = [buys(), buys()][-1]
    first_is(other, newest)
    is_paused(window)
    pause = window.get_by_role("button", name="Paused · 2 new", exact=True)
    expect(pause).to_have_attribute("aria-pressed", "true")
    first_is(window, known)
    expect(window.locator('[data-number="payments"] .number-today')).to_have_text(payments)

    pause.click()
    first_is(window, newest)
    expect(window.locator(ROWS).nth(2)).to_have_id(known)
    expect(window.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")
    expect(window.locator('[data-number="payments"] .number-today')).not_to_have_text(payments)
    is_live(window)
    assert marked(window)


def test_held_still_by_a_key_it_stays_so_over_a_reload_but_not_in_another_window(dashboard, buys):
    buys()
    window = dashboard()
    window.keyboard.press("p")
    expect(window.get_by_role("button", name="Paused", exact=True)).to_be_visible()
    window.reload()
    is_paused(window)

    newest = buys()
    expect(window.get_by_role("button", name="Paused · 1 new", exact=True)).to_be_visible()
    other = window.context.new_page()
    other.goto(window.url)
    is_live(other)
    expect(other.get_by_role("button", name="Pause", exact=True)).to_be_visible()

    window.keyboard.press("p")
    first_is(window, newest)


def test_who_acts_on_an_order_sees_it_change_while_the_list_is_held_still(dashboard, buys):
    row = buys()
    window = dashboard()
    first_is(window, row)
    press(window, "Pause")
    window.locator(f"#{row} a").click()
    window.get_by_role("button", name="Prepare it", exact=True).click()

    expect(window.locator("#detail .payment-head")).to_contain_text("Being prepared")
    expect(window.locator(f"#{row}")).to_contain_text("Not yet prepared")
    press(window, "Paused")
    expect(window.locator(f"#{row}")).to_contain_text("Being prepared")


def test_who_holds_it_still_for_very_long_gets_a_new_page(dashboard, buys):
    row = buys()
    window = dashboard()
    press(window, "Pause")
    window.evaluate(
        """row => {
            const list = document.querySelector('.dashboard');
            for (let number = 0; number <= 500; number += 1) {
                const fresh = document.getElementById(row).cloneNode(true);
                fresh.id += number;
                fresh.dataset.placed = Number(fresh.dataset.placed) + 1;
                const target = `#${fresh.id}, #payments`;
                const text = `<hx-partial hx-target="${target}">${fresh.outerHTML}</hx-partial>`;
                const detail = { message: { text, json: null } };
                list.dispatchEvent(new CustomEvent('htmx:before:ws:message', { bubbles: true, detail }));
            }
        }""",
        row,
    )
    mark(window)
    press(window, "Paused · over 500 new")
    expect(window.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")
    is_live(window)
    assert not marked(window)


def test_what_was_missed_is_loaded_anew_but_not_while_the_screen_is_held_still(dashboard, buys):
    buys()
    window = dashboard()
    window.clock.install()
    reload(window)
    press(window, "Pause")
    mark(window)
    window.evaluate(HEAR_NOTHING)
    window.clock.fast_forward("01:00")
    expect(window.locator("#freshness")).to_contain_text("paused")
    assert marked(window)

    press(window, "Paused · more new")
    is_live(window)
    assert not marked(window)
    mark(window)
    window.evaluate(HEAR_NOTHING)
    window.clock.fast_forward("01:00")
    window.wait_for_function("() => !window.neverReloaded")
    is_live(window)
