"""Browsers without a window before the running stack: what they load, see come, and come back to."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest

from tests.faults.browser import Browser, NotOpened, Page, Unreachable
from tests.faults.dom import Document, Swap
from tests.stack import Stack

PATIENCE = 30.0
"""Seconds after which what does not come is missing."""
CARD = {"method": "card", "cardNumber": "4242424242424242", "cardExpiry": "12 / 34", "cardCvc": "123"}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  the condition knows no event
            await asyncio.sleep(0.02)


@pytest.fixture
async def ada(stack: Stack) -> AsyncIterator[Browser]:
    browser = Browser(stack.url, "Ada", chance=random.Random(5))  # noqa: S311  it decides about delays
    yield browser
    await browser.close()


async def order(browser: Browser) -> tuple[str, str]:
    """Of one bicycle bell: the order's path, and the payment page's address."""
    shop = Document((await browser.get("/")).text)
    form = shop.form("buy")
    assert form is not None
    answer = await browser.post(form.action, form.fields | {"quantity-bicycle-bell": "1"})
    assert answer.status == 303
    newest = Document((await browser.get("/")).text).rows("orders")[0]
    return f"/orders/{newest.removeprefix('order-')}/", answer.location


async def pay(address: str) -> None:
    at = urlsplit(address)
    stripe = Browser(f"{at.scheme}://{at.netloc}", "a card")
    form = Document((await stripe.get(at.path)).text).form("payment-form")
    assert form is not None
    filled_in = form.fields | CARD | {"email": "ada@example.com", "billingName": "Ada Lovelace"}
    answer = await stripe.post(form.action, filled_in)
    assert answer.status in (302, 303)
    await stripe.close()


def is_paid(page: Page) -> bool:
    return "[data-payment-status=paid]" in page.document.text(f"order-{page.path.split('/')[2]}")


async def test_an_order_page_sees_its_payment_arrive(ada):
    path, address = await order(ada)
    seen: list[tuple[bool, list[Swap]]] = []
    page = await ada.open(path, lambda page, swaps, html, pushed: seen.append((pushed, swaps)))
    await until(lambda: page.open)
    await pay(address)
    await until(lambda: is_paid(page))
    pushes, offers = [pushed for pushed, _ in seen], [swap for _, swaps in seen for swap in swaps]
    assert not pushes[0]  # it was loaded
    assert any(pushes)
    assert offers[0].before is None
    versions = [swap.after or 0 for swap in offers]
    assert versions == sorted(versions)
    key = f"order-{path.split('/')[2]}"
    assert page.document.text(key) == Document((await ada.get(path)).text).text(key)


async def test_a_page_whose_server_was_killed_comes_back_and_catches_up(ada, stack):
    path, address = await order(ada)
    page = await ada.open(path)
    await until(lambda: page.open)
    stack.kill_daphne()
    await until(lambda: not page.open)
    assert page.closed_with == 1006
    with pytest.raises(Unreachable):
        await ada.get("/")
    paying = asyncio.create_task(pay(address))
    stack.start_daphne()  # not in a thread: it would end with it
    await until(lambda: page.open and is_paid(page))
    await paying
    assert page.loads == 1


async def test_a_hidden_page_lets_go_of_its_socket_and_catches_up_when_it_is_looked_at(ada):
    path, address = await order(ada)
    page = await ada.open(path)
    await until(lambda: page.open)
    page.sleep()
    await until(lambda: page.closed_with)
    await pay(address)
    assert not is_paid(page)
    page.wake()
    await until(lambda: page.open and is_paid(page))


async def test_a_page_that_does_not_read_sees_later_what_it_missed(ada):
    path, address = await order(ada)
    page = await ada.open(path)
    await until(lambda: page.open)
    page.stop_reading()
    frames = page.frames
    await pay(address)
    assert page.frames == frames
    page.read_on()
    await until(lambda: is_paid(page))


async def test_a_page_whose_session_is_over_reloads_itself_once(ada):
    page = await ada.open("/")
    await until(lambda: page.open)
    ada.cookies.clear()  # the ticket was another guest's
    page.sleep()
    await until(lambda: page.closed_with)
    page.wake()
    await until(lambda: page.closed_with == 4401)
    await until(lambda: page.open)
    assert page.loads == 2


async def test_the_eleventh_page_stops_and_says_so(ada):
    pages = [await ada.open("/orders/") for _ in range(10)]
    await until(lambda: all(page.open for page in pages))
    page = await ada.open("/orders/")
    await until(lambda: page.stopped)
    assert page.closed_with == 4429
    assert not page.open


async def test_a_page_that_is_none_is_not_opened(ada):
    with pytest.raises(NotOpened) as refusal:
        await ada.open("/orders/00000000-0000-0000-0000-000000000000/")
    assert refusal.value.answer.status == 404
