"""The whole life of an order, in the windows of its shopper and of staff: nobody reloads anything."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    Shopper,
    bought_by,
    buy,
    choose,
    has_in_stock,
    in_stock,
    is_live,
    left_at_stripe,
    mark,
    marked,
    pay,
    shows,
)
from tests.stack import Stack

pytestmark = pytest.mark.browser

GOOD_IBAN, FAILING_IBAN = "AT61 1904 3002 3457 3201", "AT86 1904 3002 3547 3202"


@pytest.fixture
def bought(arrive: Callable[..., Shopper]) -> Page:
    """The shopper's window at an order of two counter bells, €48.00, that she has just paid."""
    return bought_by(arrive(), "Counter bell", 2)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def unfold(page: Page, name: str) -> None:
    page.locator("summary").get_by_text(name, exact=True).click()


def answers(page: Page, words: str) -> None:
    expect(page.locator("#answer")).to_contain_text(words)


# --- money back -----------------------------------------------------------------------------------


def test_a_part_that_staff_refund_is_seen_by_the_shopper_and_by_other_staff(bought, staff):
    window, other = staff(bought), staff(bought)
    unfold(other, "Refund")
    other.get_by_label("Note").fill("I am still typing")
    mark(bought, window, other)

    unfold(window, "Refund")
    expect(window.get_by_label("Amount in EUR")).to_have_value("48.00")
    window.get_by_label("Amount in EUR").fill("5")
    press(window, "Refund")

    answers(window, "€5.00 goes back to the customer.")
    expect(window.get_by_label("Amount in EUR")).to_have_value("43.00")
    expect(bought.locator(".order-status")).to_contain_text("€5.00 of €48.00 refunded")
    expect(bought.locator(".order-story")).to_contain_text("€5.00 refunded")
    expect(other.locator(".payment-money")).to_contain_text("€43.00")
    expect(other.get_by_label("Note")).to_have_value("I am still typing")
    assert marked(bought)
    assert marked(window)
    assert marked(other)


def test_too_much_is_refused_where_it_was_typed(bought, staff):
    # The browser notes the 422 in its console.
    window = staff(bought, trouble="status of 422")
    unfold(window, "Refund")
    window.get_by_label("Amount in EUR").fill("48.01")
    window.get_by_label("Note").fill("All, please")
    press(window, "Refund")

    expect(window.get_by_text("No more than €48.00 is left.")).to_be_visible()
    expect(window.get_by_label("Amount in EUR")).to_have_value("48.01")
    expect(window.get_by_label("Note")).to_have_value("All, please")

    window.get_by_label("Amount in EUR").fill("48.00")
    press(window, "Refund")
    answers(window, "€48.00 goes back to the customer.")
    expect(bought.get_by_text("Your money is on its way back")).to_be_visible()
    expect(window.locator("summary").get_by_text("Refund", exact=True)).to_be_hidden()


def test_a_double_click_refunds_once(bought, staff):
    window = staff(bought)
    unfold(window, "Refund")
    window.get_by_label("Amount in EUR").fill("5")
    window.get_by_role("button", name="Refund", exact=True).dblclick()

    answers(window, "€5.00 goes back to the customer.")
    expect(window.get_by_label("Amount in EUR")).to_have_value("43.00")
    expect(window.locator(".payment-money tfoot tr").last).to_contain_text("€43.00")


def test_without_javascript_staff_refund_all_the_same(bought, staff):
    window = staff(bought, java_script_enabled=False)
    unfold(window, "Refund")
    window.get_by_label("Amount in EUR").fill("5")
    press(window, "Refund")

    expect(window.get_by_text("€5.00 goes back to the customer.")).to_be_visible()
    expect(bought.locator(".order-status")).to_contain_text("€5.00 of €48.00 refunded")


def test_what_comes_back_is_on_the_shelf_again_for_everybody(arrive, bought, staff):
    window, stranger = staff(bought), arrive().window()
    before = in_stock(stranger, "counter-bell")

    unfold(window, "Put back in stock")
    window.get_by_label("Counter bell, up to 2").fill("1")
    press(window, "Put back in stock")

    answers(window, "Back in stock: 1.")
    has_in_stock(stranger, "counter-bell", before + 1)
    expect(window.get_by_label("Counter bell, up to 1")).to_be_visible()


# --- goods on their way ---------------------------------------------------------------------------


def test_the_shopper_follows_her_order_from_the_packing_to_the_door(bought, staff):
    window, other = staff(bought), staff(bought)
    mark(bought, window, other)

    press(window, "Prepare it")
    answers(window, "Now: “Being prepared”.")
    expect(bought.locator("[aria-current=step]")).to_have_text("Being prepared")
    expect(other.get_by_label("Tracking link")).to_be_visible()

    other.get_by_label("Carrier").fill("Parcel Post")
    other.get_by_label("Tracking link").fill("https://track.example/12345")
    press(other, "It is on its way")
    answers(other, "Now: “On its way”.")
    link = bought.get_by_role("link", name="Follow the parcel")
    expect(link).to_have_attribute("href", "https://track.example/12345")
    expect(link).to_have_attribute("rel", "noopener")
    expect(bought.locator("[aria-current=step]")).to_have_text("On its way")

    press(window, "Undo: it was not sent")
    expect(bought.locator("[aria-current=step]")).to_have_text("Being prepared")
    expect(link).to_have_count(0)
    expect(bought.locator(".timeline")).to_contain_text("Corrected: still being prepared")

    press(window, "It is on its way")
    press(window, "It was delivered")
    expect(bought.locator("[aria-current=step]")).to_have_text("Delivered")
    assert marked(bought)
    assert marked(window)
    assert marked(other)


def test_who_presses_what_somebody_else_has_just_pressed_is_told(bought, staff, stack):
    window, late = staff(bought), staff(bought)
    late.evaluate("document.querySelector('.payment').removeAttribute('id')")  # this window is behind

    press(window, "Prepare it")
    answers(window, "Now: “Being prepared”.")
    press(late, "Prepare it")

    answers(late, "Nothing changed: it is “Being prepared”.")


# --- no longer wanted -----------------------------------------------------------------------------


def test_a_shopper_cancels_and_every_window_knows(arrive, staff):
    ada, stranger = arrive(), arrive().window()
    window = ada.window()
    before = in_stock(stranger, "bicycle-bell")
    choose(window, "Bicycle bell", 2)
    buy(window)
    second = ada.window()
    has_in_stock(stranger, "bicycle-bell", before - 2)
    second.locator("#orders a").first.click()
    shows(second, "pending")
    is_live(second)
    desk = staff(second)
    mark(desk, stranger)

    unfold(second, "Cancel this order")
    press(second, "Yes, cancel it")

    expect(second.get_by_text("This order was cancelled")).to_be_visible()
    expect(second.get_by_role("button", name="Pay now")).to_be_hidden()
    expect(second.locator("summary", has_text="Cancel this order")).to_be_hidden()
    shows(desk, "cancelled")
    has_in_stock(stranger, "bicycle-bell", before)
    assert marked(desk)
    assert marked(stranger)

    second.get_by_role("link", name="Choose again").click()
    expect(second.get_by_label("Bicycle bell", exact=True)).to_have_value("2")


def test_staff_cancel_and_the_shopper_sees_it(arrive, staff):
    second = left_at_stripe(arrive())
    mark(second)
    desk = staff(second)

    unfold(desk, "Cancel the order")
    press(desk, "Yes, cancel it")

    answers(desk, "The order is cancelled.")
    shows(second, "cancelled")
    expect(second.locator(".timeline")).to_contain_text("Cancelled by the shop")
    assert marked(second)


# --- banks take their time --------------------------------------------------------------------------


def debit(page: Page, iban: str) -> None:
    """Pay by bank debit on the hosted page, and come back."""
    page.fill("#email", "ada@example.com")
    page.locator("label[for=method-debit]").click()
    page.fill("#iban", iban)
    page.fill("#billingName", "Ada Lovelace")
    page.click("#pay")
    page.wait_for_url("**/orders/**")


def test_a_bank_debit_that_succeeds_later_turns_every_window_to_paid(arrive, staff):
    ada = arrive()
    window, second = ada.window(), ada.window()
    choose(window, "Door chime")
    buy(window)
    mark(second)

    debit(window, GOOD_IBAN)

    shows(window, "processing")
    expect(window.get_by_text("a bank debit can take a few days")).to_be_visible()
    expect(window.get_by_role("button", name="Pay now")).to_be_hidden()
    shows(second, "processing", within="#orders")
    desk = staff(window)
    mark(window, desk)

    shows(window, "paid")
    shows(second, "paid", within="#orders")
    shows(desk, "paid")
    expect(desk.get_by_role("button", name="Prepare it")).to_be_visible()
    assert marked(window)
    assert marked(second)
    assert marked(desk)


def test_a_bank_debit_that_fails_later_tells_what_to_do_next(arrive):
    ada, stranger = arrive(), arrive().window()
    window, second = ada.window(), ada.window()
    before = in_stock(stranger, "bicycle-bell")
    choose(window, "Bicycle bell", 2)
    buy(window)
    mark(second, stranger)

    debit(window, FAILING_IBAN)

    shows(window, "processing")
    mark(window)
    shows(window, "failed")
    shows(second, "failed", within="#orders")
    has_in_stock(stranger, "bicycle-bell", before)
    assert marked(window)
    assert marked(second)
    assert marked(stranger)

    window.get_by_role("link", name="Choose again").click()
    expect(window.get_by_label("Bicycle bell", exact=True)).to_have_value("2")
    is_live(window)
    buy(window)
    pay(window)
    shows(window, "paid")
    is_live(window)


# --- rights ---------------------------------------------------------------------------------------


@pytest.fixture
def rights(stack: Stack) -> Iterator[Callable[[bool], None]]:
    """Give staff all rights, or none."""

    def have(everything: bool) -> None:
        with psycopg.connect(stack.database.url, autocommit=True) as connection:
            connection.execute(
                "UPDATE auth_user SET is_superuser = %s WHERE username = %s",
                [everything, stack.env["STAFF_USERNAME"]],
            )

    yield have
    have(True)


def test_who_loses_the_right_to_look_is_no_longer_shown_the_page(bought, staff, rights):
    # The browser notes the 403 of the page that it then shows.
    window = staff(bought, trouble="status of 403")
    rights(False)

    expect(window.get_by_role("heading", name="This is not for you to see")).to_be_visible()
    expect(window.get_by_text("ada@example.com")).to_have_count(0)


def test_who_loses_a_right_while_pressing_is_told_on_the_spot(bought, staff, rights):
    # The browser notes the 403 in its console.
    window = staff(bought, trouble="status of 403")
    window.route("**/prepare/", lambda route: (rights(False), route.continue_()))
    press(window, "Prepare it")

    expect(
        window.get_by_text("Your account may not do that").or_(
            window.get_by_text("This is not for you to see")
        )
    ).to_be_visible()
    shows(bought, "paid")


def test_no_answer_is_an_answer_too(bought, staff):
    # The browser notes the connection that broke.
    window = staff(bought, trouble="net::ERR_|htmx:error|Failed to fetch")
    window.route("**/prepare/", lambda route: route.abort())
    press(window, "Prepare it")

    answers(window, "No good answer from the shop.")
    expect(window.get_by_role("button", name="Prepare it", exact=True)).to_be_enabled()
