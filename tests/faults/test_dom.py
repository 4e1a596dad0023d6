"""A document without a window and a real browser's page, told the same, show the same."""

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, WebSocketRoute

from tests.browser.conftest import Shopper, bought_by, left_at_stripe, path_of, shows
from tests.browser.launch import running_browser
from tests.faults.dom import Document, Swap
from tests.stack import Stack

ROW = (
    '<li id="{id}" data-placed="{placed}" data-cursor="c" data-version="{version}" class="{css}">\n'
    '<time datetime="2026-01-01">{placed}</time> {words} '
    '<span data-payment-status="{status}">{status}</span></li>\n'
)


class Window(ABC):
    """A window of Chromium's, and a document of the same page."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page = context.new_page()
        # They write times as this computer's clock would show them.
        self.page.route(re.compile(r"/(times|countdown)[^/]*\.js"), lambda route: route.fulfill(body=""))
        self._prepare(url)
        answer = self.page.goto(url)
        assert answer is not None
        self.document = Document(answer.text())

    def agree(self, *lists: str) -> None:
        """Asserts that both show the same versions, rows and words."""
        real, document = Document(self.page.content()), self.document
        assert document.versions == real.versions
        assert document.doubled == real.doubled
        for key in lists:
            assert document.rows(key) == real.rows(key)
        for key in (*lists, *real.versions):
            assert document.text(key) == real.text(key)

    @abstractmethod
    def _prepare(self, url: str) -> None:
        """Before the page is loaded."""


class Listening(Window):
    """Both hear what the stack pushes."""

    def agree_in_the_end(self, *lists: str) -> None:
        for _ in range(50):
            with suppress(AssertionError):
                return self.agree(*lists)
            self.page.wait_for_timeout(100)  # a push is under way to one of them
        return self.agree(*lists)

    def agree(self, *lists: str) -> None:
        for frame in self._frames:
            self.document.apply(frame)
        self._frames.clear()
        super().agree(*lists)

    def _prepare(self, url: str) -> None:
        self._frames: list[str] = []
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._hear))

    def _hear(self, frame: str | bytes) -> None:
        self._frames.append(str(frame))


class Told(Window):
    """Both hear what the test says, and nothing else. `edit` changes the page on its way."""

    def __init__(self, context: BrowserContext, url: str, edit: Callable[[str], str]) -> None:
        self.swaps: list[Swap] = []
        self._edit, self._fetched = edit, ""
        self._time = 2_000_000_000
        super().__init__(context, url)
        self.page.wait_for_function("() => window.htmx")

    def tell(self, frame: str) -> None:
        self._socket.send(frame)
        self.swaps += self.document.apply(frame)

    def answer_scripts_with(self, html: str) -> None:
        """Those that ask for the page again; else nobody answers."""
        self._fetched = html

    def agree(self, *lists: str) -> None:
        self._time += 1
        self._socket.send(f'{{"as_of": {self._time}}}')
        self.page.locator(f'#freshness[data-as-of="{self._time}"]').wait_for(state="attached")
        super().agree(*lists)

    def _prepare(self, url: str) -> None:
        self.page.route_web_socket(re.compile("/ws/"), self._connect)
        self.page.route(lambda address: address == url, self._answer)

    def _connect(self, socket: WebSocketRoute) -> None:
        self._socket = socket

    def _answer(self, route: Route) -> None:
        if route.request.is_navigation_request():
            answer = route.fetch()
            route.fulfill(response=answer, body=self._edit(answer.text()))
        elif self._fetched:
            route.fulfill(body=self._fetched, content_type="text/html")
        else:
            route.abort()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """No longer than this module: while it runs, no other test can have an event loop."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def staff(context: BrowserContext, stack: Stack) -> BrowserContext:
    """Logged in."""
    page = context.new_page()
    page.goto(f"{stack.url}/dashboard/")
    page.get_by_label("Username").fill(stack.env["STAFF_USERNAME"])
    page.get_by_label("Password").fill(stack.env["STAFF_PASSWORD"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("#payments", state="attached")
    page.close()
    return context


# --- what the stack pushes ------------------------------------------------------------------------------


def test_shop_order_and_dashboard_show_what_chromium_shows_after_an_orders_life(browser, staff, stack):
    shopper = Shopper(browser.new_context(reduced_motion="reduce"), stack.url)
    own = left_at_stripe(shopper)
    windows = {
        "shop": Listening(shopper.context, f"{stack.url}/"),
        "pending": Listening(staff, f"{stack.url}/dashboard/?status=pending"),
        "payments": Listening(staff, f"{stack.url}/dashboard/"),
        "order": Listening(shopper.context, own.url),
        "payment": Listening(staff, f"{stack.url}/dashboard{path_of(own)}"),
    }
    own.get_by_text("Cancel this order").click()
    own.get_by_role("button", name="Yes, cancel it").click()
    shows(own, "cancelled")
    number = path_of(bought_by(shopper)).split("/")[2]
    windows["payments"].page.locator(f"#row-{number}").wait_for()
    shows(windows["shop"].page, "paid")
    for window in windows.values():
        window.agree_in_the_end("orders", "payments")
    assert windows["payments"].document.rows("payments")[0] == f"row-{number}"
    assert "[data-payment-status=paid]" in windows["shop"].document.text(f"order-{number}")


# --- anything that could be pushed ----------------------------------------------------------------------


class Frames:
    """Frames about the rows of one list, such as the stack sends, and some that it should not.

    What is new goes `into` a list, which an older page has not.
    """

    def __init__(self, chance: random.Random, rows: str, into: str, key: str, css: str) -> None:
        self.chance, self.rows, self.into, self.key, self.css = chance, rows, into, key, css
        self.version = 0

    def next(self) -> str:
        name = f"{self.key}-{self.chance.randrange(12)}"
        match self.chance.randrange(10):
            case 0:
                count = self.chance.randrange(9)
                names = self.chance.sample([f"{self.key}-{number}" for number in range(12)], count)
                return self._push(f"#{self.rows}", "innerMorph", "".join(map(self._row, names)))
            case 1 | 2:
                return self.delete(name)
            case 3:
                return self._push(f"#{name}", "outerMorph", self._row(name))
            case _:
                return self.upsert(name)

    def upsert(self, name: str) -> str:
        return self._push(f"#{name}, #{self.into}", "upsert key:data-placed sort:desc", self._row(name))

    def delete(self, name: str) -> str:
        return self._push(f"#{name}", "delete", "")

    def _row(self, name: str) -> str:
        self.version += self.chance.choice([-1, 0, 0, 1, 1, 1])
        return ROW.format(
            id=name,
            placed=f"170000000{self.chance.randrange(3)}.{self.chance.randrange(0, 200_000, 50_000):06}",
            version=max(self.version, 1),
            css=self.css,
            words=self.chance.choice(["a <b>bell</b>", "<i>two</i>\n bells", "a chime &amp; more"]),
            status=self.chance.choice(["paid", "pending", "expired"]),
        )

    def _push(self, targets: str, swap: str, rows: str) -> str:
        return f'<hx-partial hx-target="{targets}" hx-swap="{swap}">{rows}</hx-partial>\n'


def with_room_for(most: int) -> Callable[[str], str]:
    return lambda html: re.sub(r'data-most="\d+"', f'data-most="{most}"', html)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("path", "rows", "into", "key", "css"),
    [
        ("/", "orders", "orders", "order", "order-row panel"),
        ("/orders/", "orders", "orders", "order", "order-row panel"),
        ("/dashboard/", "payments", "payments", "row", "payment-row"),
        ("/dashboard/", "payments", "newest", "row", "payment-row"),
    ],
)
def test_a_list_that_is_told_anything_shows_what_chromium_shows(
    staff, stack, seed, path, rows, into, key, css
):
    frames = Frames(random.Random(seed), rows, into, key, css)  # noqa: S311  the same each time
    told = Told(staff, stack.url + path, edit=with_room_for(5))
    for _ in range(30):
        frame = frames.next()
        for _ in range(2):  # twice the same is as good as once
            told.tell(frame)
            told.agree(rows)
    assert any(swap.shown_already for swap in told.swaps)
    assert any(swap.after is None for swap in told.swaps)


def test_a_list_with_room_gets_the_rows_of_the_next_page_as_in_chromium(staff, stack):
    frames = Frames(random.Random(1), "payments", "payments", "row", "payment-row")  # noqa: S311
    told = Told(staff, f"{stack.url}/dashboard/", edit=with_room_for(2))
    for number in range(3):
        told.tell(frames.upsert(f"row-{number}"))
    assert not told.document.wants_refill
    fetched = told.page.content()
    gone = told.document.rows("payments")[0]
    refilled = fetched.replace(gone, "row-9")
    told.answer_scripts_with(refilled)
    with told.page.expect_request(f"{stack.url}/dashboard/"):
        told.tell(frames.delete(gone))
        assert told.document.wants_refill
    told.document.refill(refilled)
    told.page.locator("#row-9").wait_for()
    told.agree("payments")


# --- without a browser ----------------------------------------------------------------------------------

PAGE = """<meta name="htmx-config" content='{"ws": {"reconnectMaxDelay": 5000}}'>
<div hx-ws:connect="/ws/x/?ticket=a&amp;b"><form id="buy" action="/buy/"><input type="hidden"
name="csrfmiddlewaretoken" value="secret"><input type="radio" name="r" value="1">
<input type="radio" name="r" value="2" checked>
<select name="s"><option value="">none</option><option value="x" selected>X</option></select>
<textarea name="t">words</textarea></form>
<ul id="orders" data-most="2"><li id="order-1" data-placed="1.000001" data-version="1">one
<span data-payment-status="paid">Paid</span></li></ul></div>"""


def test_a_document_knows_its_sockets_and_its_forms_as_they_would_be_sent():
    document = Document(PAGE)
    assert document.sockets == ["/ws/x/?ticket=a&b"]
    assert document.csrf_token == "secret"
    form = document.form("/buy/")
    assert form is not None
    assert form.fields == {"csrfmiddlewaretoken": "secret", "r": "2", "s": "x", "t": "words"}
    assert document.text("order-1", versions=True) == (
        "[data-version=1] [data-placed=1.000001] one [data-payment-status=paid] Paid"
    )


def test_every_offer_is_told_of_with_what_became_of_it():
    document = Document(PAGE)
    same = push("order-1", 1, "#order-1")
    assert document.apply(same) == [Swap("order-1", 1, 1, shown_already=True)]
    assert document.apply(push("order-1", 3, "#order-1")) == [Swap("order-1", 1, 3)]
    elsewhere = push("order-2", 1, "#order-2")
    assert document.apply(elsewhere) == [Swap("order-2", None, 1, has_place=False)]
    assert document.apply(same) == [Swap("order-1", 3, 1)]
    delete = '<hx-partial hx-target="#order-1" hx-swap="delete"></hx-partial>'
    assert document.apply(delete) == [Swap("order-1", 1, None)]
    assert document.apply('{"as_of": 1}') == []


def test_a_frame_that_nobody_thought_of_is_an_error():
    with pytest.raises(ValueError, match="innerHTML"):
        Document(PAGE).apply('<hx-partial hx-target="#orders" hx-swap="innerHTML"></hx-partial>')


def push(name: str, version: int, target: str) -> str:
    row = f'<li id="{name}" data-version="{version}">x</li>'
    return f'<hx-partial hx-target="{target}" hx-swap="outerMorph">{row}</hx-partial>'
