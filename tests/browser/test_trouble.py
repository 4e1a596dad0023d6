"""Parts of the shop die and come back; open windows follow without being touched."""

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.conftest import (
    buy,
    choose,
    fill_in,
    has_in_stock,
    in_stock,
    is_live,
    mark,
    marked,
    pay,
    shows,
)

pytestmark = pytest.mark.browser

# What a browser notes in its console when a server is not there.
NOBODY_THERE = "net::ERR_|WebSocket connection to|htmx:ws:error"


def test_windows_follow_while_valkey_is_dead_and_after_it_came_back(arrive, stack):
    ada, stranger = arrive(), arrive().window()
    window, second = ada.window(), ada.window()
    before = in_stock(stranger, "bicycle-bell")
    mark(second, stranger)
    choose(window, "Bicycle bell")
    buy(window)

    stack.kill_valkey()
    try:
        pay(window)
        shows(window, "paid")
        shows(second, "paid", within="#orders")
        has_in_stock(stranger, "bicycle-bell", before - 1)
        newcomer = arrive().window()
        has_in_stock(newcomer, "bicycle-bell", before - 1)
    finally:
        stack.start_valkey()

    window = ada.window()
    choose(window, "Bicycle bell", 2)
    buy(window)
    pay(window)
    shows(second, "paid", within="#orders")
    for page in (second, stranger, newcomer):
        has_in_stock(page, "bicycle-bell", before - 3)
    assert marked(second)
    assert marked(stranger)


def test_a_window_survives_the_death_of_the_web_process_and_is_told_what_was_paid_meanwhile(arrive, stack):
    ada = arrive(trouble=NOBODY_THERE)
    window, second = ada.window(), ada.window()
    choose(window, "Counter bell")
    buy(window)
    shows(second, "pending", within="#orders")
    mark(second)
    fill_in(window)

    stack.kill_daphne()
    try:
        expect(second.locator("#freshness")).to_have_attribute("data-state", "reconnecting")
        expect(second.locator("#freshness")).to_contain_text("Reconnecting")
        # Stripe takes the money, finds nobody to tell, and sends the shopper back to nobody.
        with window.expect_event("requestfailed", lambda request: "/orders/" in request.url):
            window.click("#pay", no_wait_after=True)
    finally:
        stack.start_daphne()

    shows(second, "paid", within="#orders")
    is_live(second)
    assert marked(second)
    assert "checkout.session.completed" in stack.stripe.log.read_text()


def test_a_window_that_was_hidden_catches_up_when_it_is_looked_at_again(arrive):
    ada = arrive()
    window, second = ada.window(), ada.window()
    mark(second)
    choose(window, "Door chime")
    buy(window)
    shows(second, "pending", within="#orders")

    look_away(second)
    expect(second.locator("#freshness")).not_to_have_attribute("data-state", "live")
    pay(window)
    shows(window, "paid")
    shows(second, "pending", within="#orders")
    look_back(second)

    shows(second, "paid", within="#orders")
    is_live(second)
    assert marked(second)


def test_a_window_that_goes_back_to_an_order_shows_what_happened_to_it_meanwhile(arrive, stack):
    ada = arrive()
    window, second = ada.window(), ada.window()
    choose(window, "Bicycle bell")
    buy(window)
    second.locator("#orders a").first.click()
    shows(second, "pending")
    second.goto(f"{stack.url}/orders/find/")
    pay(window)
    shows(window, "paid")

    second.go_back()

    shows(second, "paid")
    is_live(second)


def look_away(page) -> None:
    """As when another tab is in front: headless windows are all in front."""
    page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def look_back(page) -> None:
    page.evaluate("delete document.hidden")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_window_waits_for_a_database_that_is_away_instead_of_reloading_into_an_error(arrive, stack):
    ada = arrive(trouble="503")
    page = ada.context.new_page()
    page.clock.install()
    page.goto(stack.url)
    is_live(page)
    mark(page)

    with stack.without_database():
        with page.expect_response(lambda response: "/readyz" in response.url) as answer:
            page.clock.fast_forward(45_000)  # longer than a server is silent that is well
        assert answer.value.status == 503
        expect(page.locator("#freshness")).to_have_attribute("data-state", "reconnecting")
        assert marked(page)
    is_live(page)


def test_a_window_that_is_sent_this_and_that_but_no_word_says_that_it_may_be_old(arrive, stack):
    page = arrive().context.new_page()
    sockets: list[WebSocketRoute] = []
    words: list[str] = []

    def connect(socket: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            if not str(message).startswith("{"):
                socket.send(message)
            elif not words:
                words.append(str(message))
                socket.send(message)

        sockets.append(socket)
        socket.connect_to_server().on_message(pass_on)

    page.route_web_socket("**/ws/**", connect)
    page.clock.install()
    page.goto(stack.url)
    is_live(page)
    mark(page)
    stock = page.locator("#stock-bicycle-bell").evaluate("stock => stock.outerHTML")
    frame = f'<hx-partial hx-target="#stock-bicycle-bell" hx-swap="outerMorph">{stock}</hx-partial>'

    for _ in range(5):
        sockets[0].send(frame)
        page.clock.run_for(10_000)
    expect(page.locator("#freshness")).to_have_attribute("data-state", "reconnecting")
    expect(page.locator("#freshness")).to_contain_text("as of")
    assert len(sockets) == 1, "what is heard is not given up"
    assert marked(page)

    sockets[0].send(words[0])
    is_live(page)
