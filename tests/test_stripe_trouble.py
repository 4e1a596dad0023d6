"""Stripe slow, failing, busy, or cut off in mid-answer: row 39 of the bad inputs.

Between the shop and the local Stripe stands a bad line (tests/bad_line.py).
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator

from project.asgi import application
from shop.models import Order, PaymentStatus
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_retries", "shopper_is_here")]

PATIENCE = 60  # seconds: more than any of this takes, however busy the machine is


@contextmanager
def impatience() -> Iterator[None]:
    """The shop's patience, shortened while Stripe is silent: afterwards even a slow machine has time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shop.checkout.TIME_LIMIT", 0.3)
        patch.setattr("shop.stripe_client.TIME_LIMIT", 0.3)
        yield


def post(shopper, bell):
    return shopper.post("/checkout/", {f"quantity-{bell.slug}": 2})


def assert_kept(response, bell):
    """A clear page, and the order and its stock are there for the next try; returns the order."""
    order = Order.objects.get()
    bell.refresh_from_db()
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "Nothing was charged" in response.text
    assert order.number in response.text
    assert f'action="/orders/{order.public_id}/pay/"' in response.text
    assert (order.payment_status, order.version, bell.held) == (PaymentStatus.PENDING, 1, 2)
    return order


def assert_one_session(line, response, order):
    order.refresh_from_db()
    [session] = line.sessions_of(order)
    assert (response.status_code, response["Location"]) == (303, line.stripe.page(session))
    assert order.stripe_session_id == session.id
    assert Order.objects.get() == order


FAILURES = {"500": [500] * 3, "502": [502] * 3, "503": [503] * 3, "429, never tried again by the SDK": [429]}


@pytest.mark.parametrize("failures", FAILURES.values(), ids=FAILURES.keys())
def test_stripe_that_fails_keeps_the_order_and_the_next_try_gets_the_one_session(
    line, shopper, bell, failures
):
    line.next_come(*failures)
    order = assert_kept(post(shopper, bell), bell)

    assert_one_session(line, shopper.post(f"/orders/{order.public_id}/pay/"), order)


@pytest.mark.parametrize("failures", FAILURES.values(), ids=FAILURES.keys())
def test_buying_the_same_cart_again_is_the_next_try_too(line, shopper, bell, failures):
    line.next_come(*failures)
    order = assert_kept(post(shopper, bell), bell)

    assert_one_session(line, post(shopper, bell), order)


def test_a_500_that_stripe_repeats_for_its_key_is_left_behind_with_the_key(line, shopper, bell):
    line.next_come(500)
    order = assert_kept(post(shopper, bell), bell)
    assert len(line.asked) == 3, "the SDK asks again under the same key, and gets the stored answer"
    assert len({key for _method, key in line.asked}) == 1

    assert_one_session(line, post(shopper, bell), order)
    assert len({key for _method, key in line.asked}) == 2


@pytest.mark.parametrize("hiccup", [[503], [503, 503], [409], [409] * 4], ids=str)
def test_a_hiccup_is_not_even_noticed(line, shopper, bell, hiccup):
    line.next_come(*hiccup)
    assert_one_session(line, post(shopper, bell), Order.objects.get())


def test_a_line_cut_after_stripe_made_the_session_gets_that_very_session(line, shopper, bell):
    line.next_come("cut")
    response = post(shopper, bell)

    assert_one_session(line, response, Order.objects.get())
    assert len(line.asked) == 2
    assert len({key for _method, key in line.asked}) == 1


def test_a_line_cut_every_time_keeps_the_order_for_the_session_that_was_made(line, shopper, bell):
    line.next_come("cut", "cut", "cut")
    order = assert_kept(post(shopper, bell), bell)
    assert len(line.sessions_of(order)) == 1

    assert_one_session(line, post(shopper, bell), order)


def test_a_silent_stripe_is_not_waited_for(line, shopper, bell):
    line.next_come("silence")
    with impatience():
        order = assert_kept(post(shopper, bell), bell)

    assert_one_session(line, post(shopper, bell), order)
    assert len({key for _method, key in line.asked}) == 1, "the session might have been made: the same key"


def test_no_stripe_at_all(shopper, bell, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    assert_kept(post(shopper, bell), bell)


@pytest.mark.parametrize("trouble", ["silence", 500, 429])
def test_the_order_page_asks_in_vain(line, shopper, bell, trouble):
    post(shopper, bell)
    order = Order.objects.get()
    line.next_come(*[trouble] * 3)

    with impatience():
        assert shopper.post(f"/orders/{order.public_id}/check/").status_code == 503
    order.refresh_from_db()
    assert (order.payment_status, order.version) == (PaymentStatus.PENDING, 1)
    assert shopper.get(f"/orders/{order.public_id}/?from=stripe").status_code == 200


def test_paying_later_in_vain_keeps_the_order_and_its_session(line, shopper, bell):
    address = post(shopper, bell)["Location"]
    line.next_come("silence")
    order = Order.objects.get()

    with impatience():
        assert_kept(shopper.post(f"/orders/{order.public_id}/pay/"), bell)
    assert shopper.post(f"/orders/{order.public_id}/pay/")["Location"] == address


def test_an_earlier_order_is_not_let_go_unless_stripe_ends_its_session(line, shopper, bell):
    post(shopper, bell)
    earlier = Order.objects.get()
    line.next_come("silence")

    with impatience():
        response = shopper.post("/checkout/", {f"quantity-{bell.slug}": 5})
    assert response.status_code == 422
    assert "left just now" in response.text
    earlier.refresh_from_db()
    bell.refresh_from_db()
    assert (earlier.payment_status, bell.held) == (PaymentStatus.PENDING, 2)


def test_an_earlier_order_that_never_got_a_session_is_let_go_for_a_bigger_cart(line, shopper, bell):
    line.next_come(500, 500, 500)
    post(shopper, bell)
    earlier = Order.objects.get()
    assert earlier.stripe_session_id is None

    assert shopper.post("/checkout/", {f"quantity-{bell.slug}": 5}).status_code == 303
    earlier.refresh_from_db()
    bell.refresh_from_db()
    assert (earlier.payment_status, bell.held) == (PaymentStatus.EXPIRED, 5)


def test_what_stripe_did_is_not_told_to_the_shopper_or_the_log(line, shopper, bell, caplog):
    line.next_come(500)
    response = post(shopper, bell)

    for told in (caplog.text, response.text):
        assert "Traceback" not in told
        assert "sk_test" not in told
        assert "Not now." not in told


@pytest.mark.django_db(transaction=True)
async def test_however_many_wait_for_a_silent_stripe_the_database_is_free_for_others(line, monkeypatch):
    """More than the pool has connections, through the real door, each with a thread of its own."""
    for where in ("shop.checkout", "shop.stripe_client"):  # on a slow machine it takes long until all wait
        monkeypatch.setattr(f"{where}.TIME_LIMIT", PATIENCE)
    bell = await sync_to_async(factories.product)(stock=100)
    line.next_come(*["silence"] * 25)
    waiting = [asyncio.create_task(answer("POST", "/checkout/", bell)) for _ in range(25)]
    while len(line.asked) < 25 and not any(request.done() for request in waiting):  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    assert await answer("GET", "/readyz") == 200
    assert not any(request.done() for request in waiting)
    line.over.set()
    assert set(await asyncio.gather(*waiting)) == {303}


async def answer(method, path, bell=None):
    """The status of the answer to a request of its own browser."""
    token = "t" * 32
    headers = {
        "host": "127.0.0.1",
        "cookie": f"csrftoken={token}",
        "x-csrftoken": token,
        "content-type": "application/x-www-form-urlencoded",
    }
    scope = {"type": "http", "method": method, "path": path, "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    browser = ApplicationCommunicator(application, scope)
    body = f"quantity-{bell.slug}=1".encode() if bell else b""
    await browser.send_input({"type": "http.request", "body": body})
    status = (await browser.receive_output(timeout=PATIENCE))["status"]
    await browser.wait(timeout=PATIENCE)
    return status
