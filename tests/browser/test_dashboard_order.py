"""An order that is opened beside the dashboard's list, and the two connections."""

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import (
    is_live,
    mark,
    marked,
)
from tests.browser.staff_list import first_is, reload

pytestmark = pytest.mark.browser

HEAR_A_WORD = """() => {
    const detail = { message: { text: '', json: { as_of: Date.now() / 1000 } } };
    const list = document.querySelector('.dashboard');
    list.dispatchEvent(new CustomEvent('htmx:before:ws:message', { bubbles: true, detail }));
}"""


# --- the order beside the list --------------------------------------------------------------------------


def test_an_order_is_closed_by_its_button(dashboard, buys):
    row = buys()
    window = dashboard()
    window.locator(f"#{row} a").click()
    window.get_by_role("button", name="Close the order").click()
    expect(window.locator("#detail")).to_be_empty()


def test_the_order_that_was_asked_for_last_is_shown_whichever_answer_comes_last(dashboard, buys):
    slow, quick = buys(), buys()
    window = dashboard()
    waiting: list[Route] = []
    window.route(f"**/orders/{slow[4:]}/", lambda route: waiting.append(route))
    window.locator(f"#{slow} a").click()
    expect(window.locator("#detail")).to_be_empty()
    window.locator(f"#{quick} a").click()
    shown = window.locator(f"#detail [id='payment-{quick[4:]}']")
    expect(shown).to_be_attached()

    with window.expect_response(f"**/orders/{slow[4:]}/") as late:
        waiting[0].continue_()
    late.value.finished()
    # What follows has been asked for, and comes, after it.
    window.locator("#detail").get_by_role("button", name="Prepare it", exact=True).click()
    expect(window.locator("#answer")).to_contain_text("Now:")
    expect(shown).to_be_attached()


@pytest.mark.parametrize("status", [404, 502])
def test_an_order_that_does_not_open_is_no_page_of_trouble_beside_the_list(dashboard, buys, status):
    shown, other = buys(), buys()
    # The browser notes the answer in its console.
    window = dashboard(trouble=f"status of {status}")
    title = window.title()
    window.locator(f"#{shown} a").click()
    expect(window.locator("#detail .payment-page")).to_be_visible()
    trouble = "<title>Trouble</title><h1>Nothing</h1>"
    window.route(
        f"**/orders/{other[4:]}/",
        lambda route: route.fulfill(status=status, content_type="text/html", body=trouble),
    )
    window.locator(f"#{other} a").click()

    expect(window.locator("#answer")).to_contain_text("no such order" if status == 404 else "did not open")
    expect(window.locator(f"#detail [id='payment-{shown[4:]}']")).to_be_attached()
    assert window.title() == title
    window.get_by_role("button", name="Close this answer").click()
    expect(window.locator("#answer")).to_be_empty()


def test_a_narrow_screen_shows_an_order_on_its_own_page(dashboard, buys):
    row = buys()
    window = dashboard(viewport={"width": 800, "height": 800})
    window.locator(f"#{row} a").click()
    window.wait_for_url(f"**/dashboard/orders/{row[4:]}/")
    is_live(window)
    expect(window.get_by_role("button", name="Pause")).to_have_count(0)


# --- two connections -----------------------------------------------------------------------------------


def test_a_list_that_lost_its_connection_says_so_although_the_order_beside_it_is_live(dashboard, buys):
    row = buys()
    window = dashboard()
    window.locator(f"#{row} a").click()
    expect(window.locator("#detail .payment-page")).to_be_visible()
    window.evaluate("""() => {
        const list = document.querySelector('.dashboard');
        list.addEventListener('htmx:before:ws:connection', (event) => event.preventDefault());
        htmx.ext.ws.getRegistry().get(list.getAttribute('hx-ws:connect')).socket.close();
    }""")
    expect(window.locator("#freshness")).to_have_attribute("data-state", "reconnecting")
    window.get_by_role("button", name="Prepare it", exact=True).click()
    expect(window.locator("#detail .payment-head")).to_contain_text("Being prepared")
    expect(window.locator("#freshness")).to_have_attribute("data-state", "reconnecting")


def test_an_order_that_is_refused_a_connection_says_so_and_the_list_beside_it_goes_on(dashboard, buys):
    row = buys()
    window = dashboard()
    mark(window)
    window.route_web_socket("**/ws/**", lambda socket: socket.close(code=4429))
    window.locator(f"#{row} a").click()
    expect(window.get_by_text("too many windows are open")).to_be_visible()

    newest = buys()
    first_is(window, newest)
    is_live(window)
    assert marked(window)


def test_a_connection_that_hangs_before_it_begins_is_tried_again(dashboard, buys):
    row = buys()
    window = dashboard()
    window.clock.install()
    reload(window)
    mark(window)
    window.evaluate("""() => {
        const Real = WebSocket;
        window.tries = 0;
        window.WebSocket = class extends EventTarget {
            static CONNECTING = 0; static OPEN = 1; static CLOSED = 3;
            constructor(...address) {
                super();
                window.tries += 1;
                if (window.tries > 1) return new Real(...address);
                this.readyState = 0;
            }
            close() { this.readyState = 3; this.dispatchEvent(new CloseEvent('close', { code: 1006 })); }
        };
    }""")
    window.locator(f"#{row} a").click()
    window.wait_for_function("() => tries === 1")
    for _ in range(6):
        window.clock.run_for(10_000)
        window.evaluate(HEAR_A_WORD)
    window.wait_for_function("() => tries === 2")
    is_live(window)
    window.get_by_role("button", name="Prepare it", exact=True).click()
    expect(window.locator("#detail .payment-head")).to_contain_text("Being prepared")
    assert marked(window)
