"""Pay on the phone, watch on the laptop: what the e-mails' links open in other browsers."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import buy, choose, is_live, mark, marked, pay, shows

pytestmark = pytest.mark.browser


@pytest.fixture
def phone(arrive):
    """The window at an order that was just paid."""
    window = arrive(viewport={"width": 390, "height": 844}).window()
    choose(window, "Counter bell")
    buy(window)
    pay(window)
    shows(window, "paid")
    is_live(window)
    return window


def number_on(page):
    return page.locator("#order-title").inner_text().removeprefix("Order ")


def test_the_link_in_the_email_opens_the_order_live_in_another_browser(phone, arrive, staff, stack):
    number = number_on(phone)
    laptop = arrive().context.new_page()
    laptop.goto(stack.link_in_mail(f"Order {number} is paid"))

    assert laptop.url == phone.url.partition("?")[0]
    assert number_on(laptop) == number
    shows(laptop, "paid")
    is_live(laptop)
    mark(laptop)

    staff(phone).get_by_role("button", name="Prepare it", exact=True).click()

    expect(laptop.locator("[aria-current=step]")).to_have_text("Being prepared")
    assert marked(laptop)


def test_who_has_lost_the_link_gets_it_again(phone, arrive, stack):
    # The browser notes that the first link is none.
    laptop = arrive(trouble="status of 404").context.new_page()
    laptop.goto(f"{stack.url}/orders/link/gone/")
    laptop.get_by_role("link", name="Send me my link again").click()
    laptop.get_by_label("E-mail address").fill("Ada@Example.com")
    laptop.get_by_role("button", name="Send me my links").click()
    expect(laptop.get_by_role("heading", name="Look into your mail")).to_be_visible()

    laptop.goto(stack.link_in_mail("The links to your orders"))

    assert number_on(laptop) == number_on(phone)
    is_live(laptop)
