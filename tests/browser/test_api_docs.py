"""The API's documentation page, as a reader without a way to the internet sees it."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def docs(arrive, stack):
    """The page; afterwards nothing has been asked of anybody else."""
    page: Page = arrive().context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{stack.url}/api/docs/")
    yield page
    assert [url for url in asked if not url.startswith((stack.url, "data:"))] == []


def test_every_operation_is_there_and_can_be_tried_out(docs):
    expect(docs.locator(".opblock")).to_have_count(7)

    docs.locator("#operations-products-products_list").click()
    docs.get_by_role("button", name="Try it out").click()
    docs.get_by_role("button", name="Execute").click()

    expect(docs.locator(".live-responses-table tbody .response-col_status")).to_contain_text("200")
    expect(docs.locator(".live-responses-table")).to_contain_text("counter-bell")


def test_a_reader_can_buy_as_the_guest_that_she_is(docs):
    docs.locator("#operations-checkout-checkout_create").click()
    docs.get_by_role("button", name="Try it out").click()
    for _ in range(2):  # the second time with the cookies of the first
        docs.get_by_role("button", name="Execute").click()
        expect(docs.locator(".live-responses-table tbody .response-col_status")).to_contain_text("201")
        expect(docs.locator(".live-responses-table")).to_contain_text("/c/pay/")
        docs.get_by_role("button", name="Clear").click()
