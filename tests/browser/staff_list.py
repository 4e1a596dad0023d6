"""Staff's list in a window: what stands in it, and what is pressed there."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import is_live

ROWS = "#payments > li"
# As if the connection had died without a sound.
HEAR_NOTHING = "addEventListener('htmx:before:ws:message', (event) => event.stopImmediatePropagation(), true)"


def first_is(page: Page, row: str) -> None:
    expect(page.locator(ROWS).first).to_have_id(row)


def is_paused(page: Page) -> None:
    expect(page.locator('#freshness[data-state="paused"]')).to_have_text(
        re.compile(r"^\s*Paused · as of \d?\d:\d\d")
    )


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def reload(page: Page) -> None:
    page.reload()
    is_live(page)
