"""Rows of the dashboard's list come, move and go, and the list stays as long as it should be."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from playwright.sync_api import Page, Route, expect
from psycopg import sql

from tests.browser.conftest import (
    buy,
    choose,
    is_live,
    mark,
    marked,
    pay,
    row_at,
    shows,
)
from tests.browser.staff_list import HEAR_NOTHING, ROWS, first_is
from tests.stack import Stack

pytestmark = pytest.mark.browser

KEEP_SWAPPING = """() => setInterval(
    () => document.dispatchEvent(new CustomEvent('htmx:after:swap', { detail: { ctx: {} } })), 200,
)"""


def test_an_order_moves_to_the_top_when_it_is_paid_and_keeps_the_focus(dashboard, arrive, buys):
    payer = arrive()
    page = payer.window()
    choose(page, "Bicycle bell")
    buy(page)
    pending = payer.window()
    pending.locator("#orders a").first.click()
    shows(pending, "pending")
    is_live(pending)
    row = row_at(pending.url)
    above = buys()

    window = dashboard("/dashboard/?status=all")
    first_is(window, above)
    expect(window.locator(f"#{row}")).to_have_attribute("data-payment", "pending")
    window.locator(f"#{row} a").focus()
    mark(window)
    pay(page)
    is_live(page)

    first_is(window, row)
    expect(window.locator(f"#{row}")).to_have_attribute("data-payment", "paid")
    expect(window.locator(f"#{row}")).to_have_count(1)
    expect(window.locator(f"#{row} a")).to_be_focused()
    assert marked(window)


def first_is_older(page: Page, row: str) -> None:
    expect(page.locator("#older-payments > li").first).to_have_id(row)


def test_a_list_that_is_full_lets_its_oldest_go_and_the_next_page_begins_with_it(dashboard, buys):
    kept, oldest = buys(), None
    oldest, kept = kept, buys()
    window = dashboard()
    first_is(window, kept)
    window.locator("#payments").evaluate("list => (list.dataset.most = 2)")
    newest = buys()

    first_is(window, newest)
    expect(window.locator(ROWS)).to_have_count(2)
    expect(window.locator(f"#{oldest}")).to_have_count(0)
    window.get_by_role("link", name="Older").click()
    first_is_older(window, oldest)


@pytest.fixture
def ship_one_of_many(stack: Stack, buys: Callable[[], str]) -> Iterator[Callable[[str], None]]:
    """More payments than a page has room for; what is yielded sends one."""
    first = buys()[4:]
    with psycopg.connect(stack.database.url, autocommit=True) as connection:
        columns = [
            name
            for (name,) in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'shop_order'"
                " AND column_name NOT IN ('id', 'public_id', 'stripe_session_id', 'payment_intent_id')"
            )
        ]
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        connection.execute(
            sql.SQL(
                "INSERT INTO shop_order (public_id, stripe_session_id, payment_intent_id, {names})"
                " SELECT gen_random_uuid(), 'cs_many_' || n, 'pi_many_' || n, {names}"
                " FROM shop_order, generate_series(1, 60) n WHERE public_id = %s"
            ).format(names=names),
            [first],
        )

        def ship(row: str) -> None:
            connection.execute(
                "UPDATE shop_order SET fulfilment_status = 'shipped', version = version + 1,"
                " updated_at = now() WHERE public_id = %s",
                [row[4:]],
            )

        yield ship
        connection.execute("DELETE FROM shop_order WHERE payment_intent_id LIKE 'pi_many_%'")


def test_a_list_of_work_fills_up_again_as_work_is_done(dashboard, ship_one_of_many):
    window = dashboard("/dashboard/?status=unsent")
    expect(window.locator(ROWS)).to_have_count(50)
    last = window.locator(ROWS).last.get_attribute("id")
    title = window.title()
    mark(window)

    done = window.locator(ROWS).first.get_attribute("id") or ""
    ship_one_of_many(done)

    expect(window.locator(f"#{done}")).to_have_count(0)
    expect(window.locator(ROWS)).to_have_count(50)
    expect(window.locator(ROWS).nth(48)).to_have_id(last or "")
    new_last = window.locator(ROWS).last.get_attribute("id")
    assert marked(window)
    assert window.title() == title
    window.get_by_role("link", name="Older").click()
    expect(window.locator("#older-payments > li").first).to_be_visible()
    is_live(window)
    assert window.locator(f"#{new_last}").count() == 0


def test_a_list_of_work_fills_up_again_although_it_never_rests(dashboard, ship_one_of_many):
    window = dashboard("/dashboard/?status=unsent")
    window.evaluate(KEEP_SWAPPING)

    ship_one_of_many(done := window.locator(ROWS).first.get_attribute("id") or "")

    expect(window.locator(f"#{done}")).to_have_count(0)
    expect(window.locator(ROWS)).to_have_count(50)


def test_a_list_of_work_that_gets_no_answer_asks_again(dashboard, ship_one_of_many):
    window = dashboard("/dashboard/?status=unsent", trouble="net::ERR_FAILED")
    failed: list[Route] = []

    def fail_once(route: Route) -> None:
        if failed:
            return route.fallback()
        failed.append(route)
        return route.abort()

    window.route("**/dashboard/?status=unsent", fail_once)
    ship_one_of_many(done := window.locator(ROWS).first.get_attribute("id") or "")

    expect(window.locator(f"#{done}")).to_have_count(0)
    window.evaluate(HEAR_NOTHING)  # whatever else is pushed would have it ask, too
    expect(window.locator(ROWS)).to_have_count(50, timeout=15_000)
    assert failed


def test_a_list_whose_last_row_goes_says_that_nothing_is_left(dashboard, buys):
    row = buys()
    window = dashboard(f"/dashboard/?status=unsent&q={row[4:]}")
    first_is(window, row)
    window.locator(f"#{row} a").click()
    for button in ("Prepare it", "It is on its way"):
        window.get_by_role("button", name=button, exact=True).click()

    expect(window.locator(ROWS)).to_have_count(0)
    expect(window.get_by_text("Nothing matches this filter yet.")).to_be_visible()
