"""Names that are long, written from right to left or full of emoji are shown whole, and break no page."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import buy, is_live
from tests.stack import Stack

pytestmark = pytest.mark.browser

ODD = {
    "emoji": "Bell 🔔👩‍👩‍👧‍👦" + "🔔" * 40,
    "right to left": "جرس \u202eدراجة " * 5,
    "500 letters in a row": "B" * 500,
    "markup": '<script>alert("x")</script>"><img src=x onerror=alert(1)>',
}


@pytest.fixture
def slug(stack: Stack, name: str) -> Iterator[str]:
    """Of a product that is called so meanwhile."""
    with psycopg.connect(stack.database.url, autocommit=True) as database:
        found = database.execute(
            "SELECT slug, name, description FROM shop_product WHERE slug = 'counter-bell'"
        )
        slug, *words = found.fetchone() or ()
        change = "UPDATE shop_product SET name = %s, description = %s WHERE slug = %s"
        database.execute(change, [name, name, slug])
        yield slug
        database.execute(change, [*words, slug])


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", ODD.values(), ids=ODD.keys())
def test_an_odd_name_is_shown_whole_and_breaks_no_page(arrive, slug, name, width):
    ada = arrive(viewport={"width": width, "height": 800})
    window = ada.window(f"/?quantity-{slug}=1")
    complaints = found_on(window, "the shop with a cart", name)
    buy(window)
    window.goto(ada.url + "/orders/")
    is_live(window)
    complaints += found_on(window, "the list", name)
    window.locator("main a[href^='/orders/']").first.click()
    expect(window).to_have_url(re.compile(r"/orders/[0-9a-f-]{36}/"))
    is_live(window)
    complaints += found_on(window, "the order", name)

    assert complaints == []


def found_on(page: Page, where: str, name: str) -> list[str]:
    """What of it cannot be read without scrolling sideways."""
    found = []
    if name.strip() not in (page.locator("main").text_content() or ""):
        found.append(f"{where}: not shown whole")
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        found.append(f"{where}: wider than the screen")
    return found
