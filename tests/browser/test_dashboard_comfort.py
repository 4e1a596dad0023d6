"""The dashboard as somebody uses it who leaves it open all day."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, Route, expect
from psycopg import sql

from sandbox.shoppers.pages import Page as HtmlPage
from tests.browser.conftest import (
    GOOD_CARD,
    buy,
    choose,
    is_live,
    mark,
    marked,
    pay,
    shows,
)
from tests.stack import Stack

pytestmark = pytest.mark.browser

ROWS = "#payments > li"
# As if the connection had died without a sound.
HEAR_NOTHING = "addEventListener('htmx:before:ws:message', (event) => event.stopImmediatePropagation(), true)"


KEEP_SWAPPING = """() => setInterval(
    () => document.dispatchEvent(new CustomEvent('htmx:after:swap', { detail: { ctx: {} } })), 200,
)"""
HEAR_A_WORD = """() => {
    const detail = { message: { text: '', json: { as_of: Date.now() / 1000 } } };
    const list = document.querySelector('.dashboard');
    list.dispatchEvent(new CustomEvent('htmx:before:ws:message', { bubbles: true, detail }));
}"""


@pytest.fixture(scope="module", autouse=True)
def _bells_enough(stack: Stack) -> None:
    """Those that the shop begins with are for all journeys together."""
    with psycopg.connect(stack.database.url, autocommit=True) as connection:
        connection.execute("UPDATE shop_product SET stock = stock + 100 WHERE slug = 'bicycle-bell'")


@pytest.fixture
def buys(stack: Stack) -> Callable[[], str]:
    """Have somebody without a window buy a bicycle bell, €12.50; returns the id of the order's row."""

    def once() -> str:
        with httpx.Client(follow_redirects=True, trust_env=False, timeout=15) as client:

            def send(page: HtmlPage, name: str, **typed: str) -> HtmlPage:
                form = page.form(name)
                assert form is not None, page.url
                headers = {"Referer": page.url}
                return as_page(client.post(form.action, data=form.fields | typed, headers=headers))

            shop = as_page(client.get(stack.url))
            checkout = send(shop, "buy", **{"quantity-bicycle-bell": "1"})
            card = {"method": "card", "cardNumber": GOOD_CARD, "cardExpiry": "12 / 34", "cardCvc": "123"}
            return row_at(
                send(checkout, "payment-form", email="ada@example.com", billingName="Ada", **card).url
            )

    return once


def as_page(answer: httpx.Response) -> HtmlPage:
    return HtmlPage(str(answer.url), answer.status_code, answer.text)


def row_at(url: str) -> str:
    """The id in staff's list of the order with this address."""
    found = re.search(r"/orders/([0-9a-f-]{36})/", url)
    assert found is not None
    return f"row-{found[1]}"


def first_is(page: Page, row: str) -> None:
    expect(page.locator(ROWS).first).to_have_id(row)


def first_is_older(page: Page, row: str) -> None:
    expect(page.locator("#older-payments > li").first).to_have_id(row)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def reload(page: Page) -> None:
    page.reload()
    is_live(page)


def is_paused(page: Page) -> None:
    expect(page.locator('#freshness[data-state="paused"]')).to_have_text(
        re.compile(r"^\s*Paused · as of \d?\d:\d\d")
    )


# --- held still -----------------------------------------------------------------------------------


def test_a_screen_that_is_held_still_counts_what_waits_and_shows_it_when_it_goes_on(dashboard, buys):
    known = buys()
    window, other = dashboard(), dashboard()
    first_is(window, known)
    mark(window)
    payments = window.locator('[data-number="payments"] .number-today').inner_text()

    press(window, "Pause")
    newest = [buys(), buys()][-1]
    first_is(other, newest)
    is_paused(window)
    pause = window.get_by_role("button", name="Paused · 2 new", exact=True)
    expect(pause).to_have_attribute("aria-pressed", "true")
    first_is(window, known)
    expect(window.locator('[data-number="payments"] .number-today')).to_have_text(payments)

    pause.click()
    first_is(window, newest)
    expect(window.locator(ROWS).nth(2)).to_have_id(known)
    expect(window.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")
    expect(window.locator('[data-number="payments"] .number-today')).not_to_have_text(payments)
    is_live(window)
    assert marked(window)


def test_held_still_by_a_key_it_stays_so_over_a_reload_but_not_in_another_window(dashboard, buys):
    buys()
    window = dashboard()
    window.keyboard.press("p")
    expect(window.get_by_role("button", name="Paused", exact=True)).to_be_visible()
    window.reload()
    is_paused(window)

    newest = buys()
    expect(window.get_by_role("button", name="Paused · 1 new", exact=True)).to_be_visible()
    other = window.context.new_page()
    other.goto(window.url)
    is_live(other)
    expect(other.get_by_role("button", name="Pause", exact=True)).to_be_visible()

    window.keyboard.press("p")
    first_is(window, newest)


def test_who_acts_on_an_order_sees_it_change_while_the_list_is_held_still(dashboard, buys):
    row = buys()
    window = dashboard()
    first_is(window, row)
    press(window, "Pause")
    window.locator(f"#{row} a").click()
    window.get_by_role("button", name="Prepare it", exact=True).click()

    expect(window.locator("#detail .payment-head")).to_contain_text("Being prepared")
    expect(window.locator(f"#{row}")).to_contain_text("Not yet prepared")
    press(window, "Paused")
    expect(window.locator(f"#{row}")).to_contain_text("Being prepared")


def test_who_holds_it_still_for_very_long_gets_a_new_page(dashboard, buys):
    row = buys()
    window = dashboard()
    press(window, "Pause")
    window.evaluate(
        """row => {
            const list = document.querySelector('.dashboard');
            for (let number = 0; number <= 500; number += 1) {
                const fresh = document.getElementById(row).cloneNode(true);
                fresh.id += number;
                fresh.dataset.placed = Number(fresh.dataset.placed) + 1;
                const target = `#${fresh.id}, #payments`;
                const text = `<hx-partial hx-target="${target}">${fresh.outerHTML}</hx-partial>`;
                const detail = { message: { text, json: null } };
                list.dispatchEvent(new CustomEvent('htmx:before:ws:message', { bubbles: true, detail }));
            }
        }""",
        row,
    )
    mark(window)
    press(window, "Paused · over 500 new")
    expect(window.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")
    is_live(window)
    assert not marked(window)


def test_what_was_missed_is_loaded_anew_but_not_while_the_screen_is_held_still(dashboard, buys):
    buys()
    window = dashboard()
    window.clock.install()
    reload(window)
    press(window, "Pause")
    mark(window)
    window.evaluate(HEAR_NOTHING)
    window.clock.fast_forward("01:00")
    expect(window.locator("#freshness")).to_contain_text("paused")
    assert marked(window)

    press(window, "Paused · more new")
    is_live(window)
    assert not marked(window)
    mark(window)
    window.evaluate(HEAR_NOTHING)
    window.clock.fast_forward("01:00")
    window.wait_for_function("() => !window.neverReloaded")
    is_live(window)


# --- rows -----------------------------------------------------------------------------------------


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


# --- keys -----------------------------------------------------------------------------------------


def test_the_list_is_walked_and_an_order_read_and_closed_by_keys_alone(dashboard, buys):
    second, first = buys(), buys()
    window = dashboard()
    first_is(window, first)

    window.keyboard.press("j")
    expect(window.locator(f"#{first} a")).to_be_focused()
    window.keyboard.press("j")
    expect(window.locator(f"#{second} a")).to_be_focused()
    window.keyboard.press("k")
    window.keyboard.press("k")
    expect(window.locator(f"#{first} a")).to_be_focused()
    window.keyboard.press("j")
    window.keyboard.press("Enter")
    expect(window.locator("#detail")).to_be_focused()
    expect(window.locator("#detail .payment-page")).to_be_visible()
    expect(window.locator(f"#detail [id='payment-{second[4:]}']")).to_be_attached()
    assert "/dashboard/orders/" not in window.url

    window.keyboard.press("Escape")
    expect(window.locator("#detail")).to_be_empty()
    expect(window.locator(f"#{second} a")).to_be_focused()
    # The order's connection was closed with it: that is no trouble.
    expect(window.locator("#freshness")).to_have_attribute("data-state", "live")


def test_what_is_typed_is_no_command(dashboard, buys):
    buys()
    window = dashboard()
    window.keyboard.press("/")
    search = window.get_by_label("Search")
    expect(search).to_be_focused()
    window.keyboard.type("jp?/")
    expect(search).to_have_value("jp?/")
    expect(window.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")


def test_the_keys_are_listed_and_can_be_switched_off(dashboard, buys):
    buys()
    window = dashboard()
    window.keyboard.press("?")
    keys = window.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    window.keyboard.press("p")
    keys.get_by_role("button", name="Keys off").click()
    keys.get_by_role("button", name="Close").click()
    expect(keys).to_be_hidden()

    reload(window)
    window.keyboard.press("p")
    window.keyboard.press("j")
    expect(window.get_by_role("button", name="Pause", exact=True)).to_have_attribute("aria-pressed", "false")
    expect(window.locator("body")).to_be_focused()


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


def test_who_acts_by_keys_goes_on_where_the_order_is_and_its_answer_goes_with_it(dashboard, buys):
    row = buys()
    window = dashboard()
    window.locator(f"#{row} a").click()
    window.get_by_role("button", name="Prepare it", exact=True).press("Enter")
    expect(window.locator("#answer")).to_contain_text("Now:")
    expect(window.get_by_role("heading", name="What to do")).to_be_focused()

    window.keyboard.press("Escape")
    expect(window.locator("#answer")).to_be_empty()
    expect(window.locator(f"#{row} a")).to_be_focused()


def test_a_narrow_screen_shows_an_order_on_its_own_page(dashboard, buys):
    row = buys()
    window = dashboard(viewport={"width": 800, "height": 800})
    window.locator(f"#{row} a").click()
    window.wait_for_url(f"**/dashboard/orders/{row[4:]}/")
    is_live(window)
    expect(window.get_by_role("button", name="Pause")).to_have_count(0)


# --- while nobody looks ---------------------------------------------------------------------------


def test_the_title_counts_what_came_in_while_nobody_looked(dashboard, buys):
    window = dashboard()
    title = window.title()
    look(window, away=True)
    first = buys()
    expect(window).to_have_title(f"(1) {title}")
    newest = buys()
    expect(window).to_have_title(f"(2) {title}")
    # It went on listening: the row is there, too.
    first_is(window, newest)
    window.locator(f"#{first} a").click()
    window.get_by_role("button", name="Prepare it", exact=True).click()
    expect(window.locator(f"#{first}")).to_contain_text("Being prepared")
    expect(window).to_have_title(f"(2) {title}")

    look(window, away=False)
    expect(window).to_have_title(title)
    newest = buys()
    first_is(window, newest)
    expect(window).to_have_title(title)


def look(page: Page, *, away: bool) -> None:
    """Headless windows are all in front."""
    page.evaluate(
        """away => {
            Object.defineProperty(document, 'hidden', { configurable: true, get: () => away });
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        away,
    )


def test_payments_are_told_to_screen_readers_a_few_at_a_time(dashboard, buys):
    buys()
    window = dashboard()
    window.clock.install()
    said = window.locator("#announcements")
    expect(said).to_have_attribute("aria-live", "polite")
    assert window.locator("[aria-live] .payment-rows, .payment-rows[aria-live]").count() == 0
    buys()
    expect(said).to_have_text("1 payment came in, €12.50 in all")

    press(window, "Pause")
    buys()
    buys()
    paused = window.get_by_role("button", name="Paused · 2 new")
    expect(paused).to_be_visible()
    window.clock.run_for(10_000)
    assert said.inner_text() == "1 payment came in, €12.50 in all"
    paused.click()
    expect(said).to_have_text("2 payments came in, €25.00 in all")

    press(window, "Hide amounts")
    buys()
    expect(said).to_have_text("1 payment came in")


def test_the_bell_rings_for_a_payment_if_it_is_wanted_and_once_a_second_at_most(dashboard, buys):
    window = dashboard()
    window.clock.install()
    window.evaluate("""() => {
        window.tones = 0;
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function () { window.tones += 1; return start.call(this); };
    }""")
    first_is(window, buys())
    assert window.evaluate("tones") == 0

    press(window, "Sound")
    window.wait_for_function("() => tones > 0")  # this is what it will be like
    one = window.evaluate("tones")
    first_is(window, buys())  # in the same second, or in the next
    window.clock.run_for(2000)
    before = window.evaluate("tones")
    assert before <= 2 * one
    window.clock.pause_at(window.evaluate("Date.now()") + 1000)
    first_is(window, buys())
    first_is(window, buys())
    assert window.evaluate("tones") == before + one

    window.clock.resume()
    reload(window)
    expect(window.get_by_role("button", name="Sound")).to_have_attribute("aria-pressed", "true")


# --- what is shown --------------------------------------------------------------------------------


def test_hidden_amounts_are_readable_for_nobody_and_stay_so_over_a_reload_and_a_push(dashboard, buys):
    buys()
    window = dashboard()
    expect(window.locator("main")).to_contain_text("€12.50")
    in_words = window.locator("body").aria_snapshot
    assert "€" in in_words()
    press(window, "Hide amounts")
    newest = buys()
    first_is(window, newest)

    amounts = window.locator(".amount:not(th)")
    assert amounts.evaluate_all("all => all.every((one) => getComputedStyle(one).visibility === 'hidden')")
    assert "€" not in window.locator("main").inner_text()
    assert "€" not in in_words()
    reload(window)
    assert "€" not in window.locator("main").inner_text()
    assert "€" not in in_words()

    press(window, "Hide amounts")
    expect(window.locator(f"#{newest} .amount")).to_have_css("visibility", "visible")
    assert "€" in in_words()


def test_nobody_refunds_what_they_do_not_see(dashboard, buys):
    row = buys()
    window = dashboard()
    window.locator(f"#{row} a").click()
    window.locator("#detail summary").get_by_text("Refund", exact=True).click()
    window.get_by_label("Amount in EUR").fill("1")
    window.get_by_role("button", name="Refund", exact=True).click()
    expect(window.locator("#answer")).to_contain_text("€1.00 goes back")

    press(window, "Hide amounts")
    expect(window.locator("#answer")).to_be_empty()
    expect(window.get_by_text("Show amounts to refund.")).to_be_visible()
    expect(window.get_by_label("Amount in EUR")).to_be_hidden()
    press(window, "Hide amounts")
    expect(window.get_by_label("Amount in EUR")).to_be_visible()


def test_an_open_checkout_tells_the_seconds_that_are_left(dashboard, arrive):
    page = arrive().window()
    choose(page, "Bicycle bell")
    buy(page)
    window = dashboard()
    left = window.locator(".checkout-left").last
    expect(left).to_have_text(re.compile(r"^\d?\d:\d\d left$"))
    before = left.inner_text()
    expect(left).not_to_have_text(before)

    left.evaluate("time => (time.dataset.until -= 7200)")
    expect(left).to_have_text("over")


def test_the_time_left_is_by_the_shops_clock(dashboard, arrive):
    page = arrive().window()
    choose(page, "Bicycle bell")
    buy(page)
    window = dashboard()
    left = window.locator(".checkout-left").last
    expect(left).to_have_text(re.compile("left$"))
    window.clock.install()
    window.clock.fast_forward("03:00:00")
    window.reload()
    is_live(window)
    expect(left).to_have_text(re.compile(r"^\d?\d:\d\d left$"))


def test_on_the_wall_nothing_is_shown_but_the_figures_and_the_way_out(dashboard, buys):
    row = buys()
    window = dashboard()
    press(window, "Full screen")
    expect(window.get_by_role("banner")).to_be_hidden()
    expect(window.get_by_role("search")).to_be_hidden()
    expect(window.get_by_role("button", name="Sound")).to_be_hidden()
    expect(window.locator(f"#{row}")).to_be_visible()
    expect(window.get_by_role("button", name="Pause")).to_be_hidden()
    window.keyboard.press("p")
    expect(window.get_by_role("button", name="Paused")).to_be_visible()
    is_paused(window)
    press(window, "Leave full screen")
    expect(window.get_by_role("banner")).to_be_visible()


# --- export ---------------------------------------------------------------------------------------


def test_an_export_tells_how_far_it_is_and_becomes_a_file(dashboard, buys):
    rows = [buys(), buys()]
    window = dashboard()
    with window.expect_download() as download:
        window.get_by_role("link", name="Export as CSV").click()
    text = Path(download.value.path()).read_text()
    assert all(row[4:] in text for row in rows)
    assert download.value.suggested_filename.endswith(".csv")
    number = text.count("\n") - 1
    expect(window.get_by_role("status").filter(has_text="rows are in")).to_contain_text(
        f"{number} rows are in payments-"
    )
    assert window.locator("#export progress").evaluate("bar => bar.value === bar.max && bar.max") == number


def test_an_export_can_be_cancelled(dashboard, buys):
    buys()
    window = dashboard()
    # It begins and does not end.
    window.evaluate("""() => {
        const real = window.fetch;
        window.fetch = async (address, options) => {
            const response = await real(address, options);
            const body = new ReadableStream({
                start(stream) {
                    stream.enqueue(new TextEncoder().encode('head\\r\\none\\r\\ntwo\\r\\n'));
                    options.signal.addEventListener('abort', () => stream.error(options.signal.reason));
                },
            });
            return new Response(body, { headers: { 'X-Total-Rows': '5' } });
        };
    }""")
    window.get_by_role("link", name="Export as CSV").click()
    expect(window.get_by_text("2 of 5 rows")).to_be_visible()
    assert window.locator("#export progress").evaluate("bar => bar.value / bar.max") == 0.4
    window.get_by_role("button", name="Cancel", exact=True).click()
    expect(window.get_by_text("Cancelled. Nothing was saved.")).to_be_visible()
    expect(window.get_by_role("link", name="Export as CSV")).to_be_focused()


def test_an_export_that_fails_says_so(dashboard, buys):
    # The browser notes the answer in its console.
    window = dashboard(trouble="status of 503")
    window.route("**/export/**", lambda route: route.fulfill(status=503))
    window.get_by_role("link", name="Export as CSV").click()
    expect(window.get_by_text("The shop gave no good answer. Nothing was saved; try again.")).to_be_visible()


# --- two connections ------------------------------------------------------------------------------


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
