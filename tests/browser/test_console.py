"""Every page under the content security policy: the console says nothing, and nothing fails to load.

What the console says is `arrive`'s to look at, which every window comes from.
"""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.browser.conftest import Shopper, bought_by, buy, choose, is_live, left_at_stripe, pay, shows
from tests.browser.test_accounts import PASSWORD, log_out, sign_up
from tests.stack import Stack

pytestmark = pytest.mark.browser

LEFT = "net::ERR_ABORTED"
"""How a browser calls what it gave up because its page was left, and a download."""


@pytest.fixture
def watch() -> Iterator[Callable[[BrowserContext], None]]:
    """Take notice of what fails to load in a browser profile; in the end, nothing may have."""
    failed: list[str] = []

    def note(request: Request) -> None:
        if request.failure != LEFT:
            failed.append(f"{request.method} {request.url}: {request.failure}")

    yield lambda context: context.on("requestfailed", note)
    assert failed == []


@pytest.fixture
def ada(arrive: Callable[..., Shopper], watch: Callable[[BrowserContext], None]) -> Shopper:
    shopper = arrive()
    watch(shopper.context)
    return shopper


@pytest.fixture
def desk(dashboard: Callable[..., Page], watch: Callable[[BrowserContext], None]) -> Page:
    """Staff's window at the dashboard."""
    window = dashboard()
    watch(window.context)
    return window


def visit(page: Page, path: str, heading: str | re.Pattern[str]) -> None:
    page.goto(re.sub(r"(://[^/]+).*", rf"\1{path}", page.url))
    expect(page.get_by_role("heading", name=heading).first).to_be_visible()


def reads(page: Page, text: str) -> None:
    expect(page.locator("main")).to_contain_text(text)


# --- shoppers ------------------------------------------------------------------------------------------


def test_buying(ada):
    window = ada.window()
    choose(window, "Bicycle bell", 2)
    expect(window.locator("#cart")).to_contain_text("2 × Bicycle bell")
    window.get_by_role("button", name="One Bicycle bell less").click()
    expect(window.locator("#cart")).to_contain_text("1 × Bicycle bell")
    buy(window)
    own = ada.window()
    own.locator("#orders a").first.click()
    shows(own, "pending")
    is_live(own)
    pay(window)
    for page in (window, own):
        shows(page, "paid")
        is_live(page)
    visit(window, "/orders/", "Your orders")
    is_live(window)


def test_going_to_stripe_from_the_order_and_cancelling_it(ada):
    own = left_at_stripe(ada)
    own.get_by_role("button", name="Pay").click()
    own.wait_for_url("**/c/pay/**")
    own.go_back()
    is_live(own)
    own.get_by_text("Cancel", exact=False).first.click()
    own.get_by_role("button", name=re.compile("[Cc]ancel")).click()
    shows(own, "cancelled")
    is_live(own)


def test_accounts_and_lost_links(ada, stack):
    window = ada.window()
    sign_up(window)
    is_live(window)
    visit(window, "/accounts/password_change/", "password")
    window.get_by_label("Old password").fill(PASSWORD)
    window.get_by_label("New password", exact=True).fill(PASSWORD + "!")
    window.get_by_label("New password confirmation").fill(PASSWORD + "!")
    window.locator("main form button").click()
    window.wait_for_url("**/password_change/done/")
    visit(window, "/", "Bells")
    is_live(window)  # a socket that is left while it opens is told of
    log_out(window)
    is_live(window)
    visit(window, "/accounts/login/", "Log in")
    visit(window, "/accounts/password_reset/", "password")
    window.get_by_label("Email").fill("nobody@example.com")
    window.locator("main form button").click()
    window.wait_for_url("**/password_reset/done/")
    visit(window, "/orders/find/", "")
    window.get_by_label("E-mail address").fill("nobody@example.com")
    window.get_by_role("button", name="Send me my links").click()
    expect(window.get_by_role("heading", name="Look into your mail")).to_be_visible()


# --- staff ---------------------------------------------------------------------------------------------


def test_the_dashboard_with_an_order_beside_it(arrive, desk):
    bought_by(arrive())
    desk.locator("#payments a").first.click()
    expect(desk.get_by_role("heading", name="Goods and money")).to_be_visible()
    is_live(desk)
    for fold in desk.locator("#detail details > summary:visible").all():
        fold.click()
    desk.get_by_role("button", name="Prepare it", exact=True).click()
    expect(desk.locator("#answer")).to_contain_text("Being prepared")
    desk.keyboard.press("Escape")
    for key in ("j", "k", "p", "p", "/"):
        desk.keyboard.press(key)
    desk.keyboard.type("ada")
    desk.get_by_role("button", name="Filter", exact=True).click()
    desk.wait_for_url("**q=ada**")
    is_live(desk)
    for tool in ("Sound", "Hide amounts", "Pause", "Full screen"):
        desk.get_by_role("button", name=tool, exact=True).click()
    desk.get_by_role("button", name="Leave full screen").click()
    desk.keyboard.press("?")
    desk.get_by_role("dialog").get_by_role("button", name="Close").click()
    with desk.expect_download():
        desk.get_by_role("link", name="Export as CSV").click()
    expect(desk.locator("#export-outcome")).to_contain_text("rows are in")


def test_an_orders_page_of_staff_and_the_flight_recorder(arrive, staff, watch):
    window = staff(bought_by(arrive()))
    watch(window.context)
    window.locator("summary").get_by_text("Refund", exact=True).click()
    window.get_by_label("Amount in EUR").fill("1")
    window.get_by_role("button", name="Refund", exact=True).click()
    expect(window.locator("#answer")).to_contain_text("€1.00 goes back")
    window.get_by_role("link", name="Webhooks", exact=True).click()
    is_live(window)
    window.get_by_role("link", name="Payload").first.click()
    expect(window.get_by_role("heading", name="What Stripe signed")).to_be_visible()


def test_the_admin(arrive, desk):
    bought_by(arrive())
    for model in ("product", "order", "refund", "dispute", "stripeevent"):
        visit(desk, f"/admin/shop/{model}/", re.compile("Select"))
        entries = desk.locator("#result_list tbody th a")
        if entries.count():
            entries.first.click()
            expect(desk.locator("#content h1")).to_be_visible()
            desk.get_by_role("link", name="History").click()
            expect(desk.get_by_role("heading", name=re.compile("Change history"))).to_be_visible()
    visit(desk, "/admin/", "Site administration")
    visit(desk, "/admin/shop/product/", re.compile("Select"))
    desk.locator("#nav-filter").fill("ord")
    desk.locator("#result_list tbody th a").first.click()
    desk.get_by_role("button", name="Save and continue editing").click()
    expect(desk.locator(".messagelist")).to_contain_text("was changed successfully")
    visit(desk, "/admin/auth/user/", re.compile("Select"))
    desk.locator("#result_list tbody th a").first.click()
    with desk.expect_popup() as opened:
        desk.locator("#add_id_groups").click()
    opened.value.locator("#id_name").fill("Night shift")
    opened.value.get_by_role("button", name="Save", exact=True).click()
    expect(desk.locator("#id_groups_to")).to_contain_text("Night shift")


# --- the rest ------------------------------------------------------------------------------------------


def test_the_apis_documentation(ada):
    docs = ada.context.new_page()
    docs.goto(f"{ada.url}/api/docs/")
    expect(docs.locator(".opblock")).to_have_count(7)
    for operation in docs.locator(".opblock-summary-control").all():
        operation.click()
    expect(docs.locator(".model-container").first).to_be_visible()


# The browser notes the status itself, and only that is told.
TROUBLE = {
    "/nothing/": (404, "Not found"),
    "/orders/00000000-0000-0000-0000-000000000000/": (404, "Not found"),
    "/orders/link/wrong/": (404, ""),
    "http://elsewhere.localhost:{port}/": (400, "That did not arrive well"),
}


@pytest.mark.parametrize(("path", "status", "heading"), [(path, *said) for path, said in TROUBLE.items()])
def test_what_is_refused(arrive, watch, stack: Stack, path, status, heading):
    stranger = arrive(trouble=f"status of {status}")
    watch(stranger.context)
    page = stranger.context.new_page()
    answer = page.goto(path.format(port=stack.port) if "://" in path else stack.url + path)
    assert answer is not None
    assert answer.status == status
    expect(page.get_by_role("heading", name=heading).first).to_be_visible()


def test_a_form_that_is_too_old(arrive, watch):
    stranger = arrive(trouble="status of 403")
    watch(stranger.context)
    page = stranger.context.new_page()
    page.goto(f"{stranger.url}/accounts/login/")
    stranger.context.clear_cookies()
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    reads(page, "send it once more")


def test_a_page_that_breaks(arrive, watch, stack: Stack):
    stranger = arrive(trouble="status of 500")
    watch(stranger.context)
    page = stranger.context.new_page()
    with stack.without_database():
        page.goto(stranger.url)
        expect(page.get_by_role("heading", name="Something broke")).to_be_visible()


def test_a_violation_would_be_told(arrive):
    """This is what the others would see."""
    shopper = arrive(trouble="Content Security Policy")
    window = shopper.window()
    window.evaluate("document.body.setAttribute('style', 'color: red')")
    window.evaluate("document.head.append(Object.assign(document.createElement('script'), {text: '1'}))")
    window.evaluate(
        "document.body.append(Object.assign(new Image(), {src: 'https://elsewhere.example/a.png'}))"
    )

    told = " ".join(shopper.complaints)
    for directive in ("style-src", "script-src", "img-src"):
        assert directive in told
