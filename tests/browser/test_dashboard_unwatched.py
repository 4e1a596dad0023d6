"""The dashboard while nobody looks: its title, its words for screen readers, its bell."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.staff_list import first_is, press, reload

pytestmark = pytest.mark.browser


def test_the_title_counts_what_came_in_while_nobody_looked(dashboard, buys):
    window = dashboard()
    title = window.title()
    look(window, away=True)
    first = buys()
    expect(window).to_have_title(f"(1) {title}")
    newest = buys()
    expect(window).to_have_title(f"(2) {title}")
    # It went on listening: the row is there, too.
    first_is(window, newest)
    window.locator(f"#{first} a").click()
    window.get_by_role("button", name="Prepare it", exact=True).click()
    expect(window.locator(f"#{first}")).to_contain_text("Being prepared")
    expect(window).to_have_title(f"(2) {title}")

    look(window, away=False)
    expect(window).to_have_title(title)
    newest = buys()
    first_is(window, newest)
    expect(window).to_have_title(title)


def look(page: Page, *, away: bool) -> None:
    """Headless windows are all in front."""
    page.evaluate(
        """away => {
            Object.defineProperty(document, 'hidden', { configurable: true, get: () => away });
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        away,
    )


def test_payments_are_told_to_screen_readers_a_few_at_a_time(dashboard, buys):
    buys()
    window = dashboard()
    window.clock.install()
    said = window.locator("#announcements")
    expect(said).to_have_attribute("aria-live", "polite")
    assert window.locator("[aria-live] .payment-rows, .payment-rows[aria-live]").count() == 0
    buys()
    expect(said).to_have_text("1 payment came in, €12.50 in all")

    press(window, "Pause")
    buys()
    buys()
    paused = window.get_by_role("button", name="Paused · 2 new")
    expect(paused).to_be_visible()
    window.clock.run_for(10_000)
    assert said.inner_text() == "1 payment came in, €12.50 in all"
    paused.click()
    expect(said).to_have_text("2 payments came in, €25.00 in all")

    press(window, "Hide amounts")
    buys()
    expect(said).to_have_text("1 payment came in")


def test_the_bell_rings_for_a_payment_if_it_is_wanted_and_once_a_second_at_most(dashboard, buys):
    window = dashboard()
    window.clock.install()
    window.evaluate("""() => {
        window.tones = 0;
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function () { window.tones += 1; return start.call(this); };
    }""")
    first_is(window, buys())
    assert window.evaluate("tones") == 0

    press(window, "Sound")
    window.wait_for_function("() => tones > 0")  # this is what it will be like
    one = window.evaluate("tones")
    first_is(window, buys())  # in the same second, or in the next
    window.clock.run_for(2000)
    before = window.evaluate("tones")
    assert before <= 2 * one
    window.clock.pause_at(window.evaluate("Date.now()") + 1000)
    first_is(window, buys())
    first_is(window, buys())
    assert window.evaluate("tones") == before + one

    window.clock.resume()
    reload(window)
    expect(window.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")
