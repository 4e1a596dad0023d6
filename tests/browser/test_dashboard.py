"""The dashboard in two windows of staff, the shop in a shopper's: they agree, and nobody reloads."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import bought_by, is_live, left_at_stripe, mark, marked, number_of, path_of, shows
from tests.stack import Stack

pytestmark = pytest.mark.browser


def row_of(page: Page, order: Page) -> Locator:
    """The row on a dashboard of the order that a shopper's window shows."""
    public_id = path_of(order).split("/")[2]
    return page.locator(f"#row-{public_id}")


def opened(page: Page, order: Page) -> Locator:
    """The order, opened beside the list."""
    row_of(page, order).locator("a").click()
    beside = page.locator("#detail")
    expect(beside.get_by_role("heading", name="Goods and money")).to_be_visible()
    return beside


def test_two_of_the_staff_and_the_shopper_agree_from_the_payment_to_the_refund(arrive, dashboard):
    one, other = dashboard(), dashboard()
    mark(one, other)
    own = bought_by(arrive(), units=2)
    mark(own)

    for window in (one, other):
        expect(row_of(window, own).locator('[data-payment-status="paid"]')).to_be_visible()
        expect(row_of(window, own)).to_contain_text("€25.00")
        expect(row_of(window, own)).to_contain_text("2 × Bicycle bell")
        expect(window.locator("#payments > li").first).to_have_attribute(
            "id", row_of(one, own).get_attribute("id") or ""
        )

    desk, second_desk = opened(one, own), opened(other, own)
    desk.get_by_role("button", name="Prepare it").click()
    expect(one.locator("#answer")).to_contain_text("Now: “")
    expect(second_desk.get_by_role("button", name="It is on its way")).to_be_visible()
    expect(own.locator(".way")).to_be_visible()

    second_desk.get_by_label("Carrier").fill("Parcel Post")
    second_desk.get_by_role("button", name="It is on its way").click()
    expect(desk).to_contain_text("Parcel Post")
    expect(own.locator("main")).to_contain_text("Parcel Post")
    for window in (one, other):
        expect(row_of(window, own).locator('[data-fulfilment-status="shipped"]')).to_be_visible()

    desk.locator("summary").get_by_text("Refund", exact=True).click()
    desk.get_by_label("Amount in EUR").fill("5")
    desk.get_by_role("button", name="Refund", exact=True).click()
    expect(one.locator("#answer")).to_contain_text("€5.00 goes back to the customer.")
    expect(own.locator("main")).to_contain_text("€5.00 of €25.00 refunded")
    for window in (one, other):
        expect(row_of(window, own)).to_contain_text("€5.00 refunded")
        expect(window.locator("#detail .timeline")).to_contain_text("staff")

    one.get_by_role("button", name="Close the order").click()
    expect(one.locator("#detail")).to_be_empty()
    is_live(one)
    assert all(marked(window) for window in (one, other, own))


def test_the_numbers_follow_a_payment(arrive, dashboard):
    window = dashboard()
    mark(window)
    payments = window.locator('[data-number="payments"] .number-today')
    before = int(payments.inner_text())

    bought_by(arrive())

    expect(payments).to_have_text(str(before + 1))
    assert marked(window)


def test_a_filter_holds_for_what_comes_in(arrive, dashboard):
    bought_by(arrive())  # with rows in the list the filter is still within reach
    window = dashboard()
    window.locator("summary").get_by_text("Dates and amounts").click()
    window.get_by_label("At least").fill("30")
    window.get_by_role("button", name="Filter").click()
    window.wait_for_url("**least=30**")
    is_live(window)
    mark(window)

    small, large = bought_by(arrive()), bought_by(arrive(), units=3)

    expect(row_of(window, large)).to_be_visible()
    expect(row_of(window, small)).to_have_count(0)
    assert marked(window)


def test_an_open_checkout_is_expired_by_a_button(arrive, dashboard):
    window = dashboard()
    own = left_at_stripe(arrive())
    number = number_of(own)

    window.get_by_role("button", name=f"Expire order {number}").click()

    shows(own, "cancelled")
    expect(window.locator("#checkouts")).not_to_contain_text(number)


def test_without_javascript_an_open_checkout_is_expired_all_the_same(arrive, staff):
    own = left_at_stripe(arrive())
    number = number_of(own)

    window = staff(own, java_script_enabled=False)
    window.get_by_role("link", name="Payments").click()
    window.get_by_role("button", name=f"Expire order {number}").click()

    shows(own, "cancelled")
    expect(window.get_by_text("The order is cancelled.")).to_be_visible()


def test_whose_right_is_taken_away_sees_nothing_more(arrive, dashboard, stack):
    # The browser notes that the page is no longer given.
    window = dashboard(trouble="status of 403")

    with no_rights(stack):
        expect(window.get_by_role("heading", level=1)).not_to_have_text("Payments")
        expect(window.locator("#payments")).to_have_count(0)


@contextmanager
def no_rights(stack: Stack) -> Iterator[None]:
    """Of the demo's staff."""
    with psycopg.connect(stack.database.url, autocommit=True) as database:
        change = "UPDATE auth_user SET is_superuser = %s WHERE username = %s"
        database.execute(change, [False, stack.env["STAFF_USERNAME"]])
        try:
            yield
        finally:
            database.execute(change, [True, stack.env["STAFF_USERNAME"]])
