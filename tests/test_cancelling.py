"""Who no longer wants an order ends it, at Stripe first: a payment that was faster wins."""

import re
import uuid

import pytest
from django.test import Client

from shop.models import Order, PaymentStatus, Source
from tests import factories, stripe_events
from tests.buying import session_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shopper_is_here")]

HTMX = {"HX-Request": "true"}


@pytest.fixture
def order(stripe, shopper, bell):
    """Two bells, with a session at the local Stripe."""
    shopper.post("/checkout/", {f"quantity-{bell.slug}": 2})
    return Order.objects.get()


def cancel(client, order, **how):
    return client.post(f"/orders/{order.public_id}/cancel/", **how)


def cancel_as_staff(client, order, **how):
    return client.post(f"/dashboard/orders/{order.public_id}/cancel/", **how)


def assert_cancelled(order, bell, source, who=None):
    order.refresh_from_db()
    bell.refresh_from_db()
    assert (order.payment_status, bell.stock, bell.held) == (PaymentStatus.CANCELLED, 5, 0)
    change = order.changes.get(after=PaymentStatus.CANCELLED)
    assert (change.source, change.who and change.who.username) == (source, who)


def assert_pending(order, bell, version=1):
    order.refresh_from_db()
    bell.refresh_from_db()
    assert (order.payment_status, order.version, bell.held) == (PaymentStatus.PENDING, version, 2)


def asked(page):
    """Who asked what about cancelling, by the timeline of staff's page."""
    lines = [
        re.sub(r"<time.*?</time> ·|<[^>]*>", " ", line)
        for line in re.findall(r"<li>(.*?)</li>", page, re.DOTALL)
    ]
    words = [" ".join(line.replace("·", " ").split()) for line in lines]
    return [line for line in words if "cancel" in line and "Payment" not in line]


# --- the shopper ----------------------------------------------------------------------------------


def test_a_cancelled_order_frees_its_stock_and_can_no_longer_be_paid(stripe, shopper, order, bell):
    response = cancel(shopper, order)

    assert (response.status_code, response["Location"]) == (303, order.get_absolute_url())
    assert_cancelled(order, bell, Source.SHOPPER)
    assert session_of(stripe, order).status == "expired"
    assert "This order was cancelled" in shopper.get(order.get_absolute_url()).text


def test_what_was_cancelled_can_be_chosen_again(shopper, order, bell):
    cancel(shopper, order)

    page = shopper.get(order.get_absolute_url()).text

    assert f'href="/?quantity-{bell.slug}=2"' in page
    assert 'value="2"' in shopper.get(f"/?quantity-{bell.slug}=2").text


def test_cancelling_twice_is_once(shopper, order, bell):
    cancel(shopper, order)
    assert cancel(shopper, order).status_code == 303

    assert_cancelled(order, bell, Source.SHOPPER)
    assert order.version == 3, "placed, asked to cancel, cancelled"


def test_an_order_that_never_got_a_session_is_cancelled_at_once(shopper, bell):
    order = factories.order(factories.shopper_of(shopper), (bell, 2))
    cancel(shopper, order)

    assert_cancelled(order, bell, Source.SHOPPER)


def test_a_payment_that_was_faster_wins_and_the_shopper_is_told(stripe, shopper, order):
    stripe.pay(session_of(stripe, order))

    response = shopper.post(f"/orders/{order.public_id}/cancel/", follow=True)

    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID
    assert "Your payment was faster" in response.text
    assert 'data-payment-status="paid"' in response.text


def test_a_payment_that_comes_after_the_cancelling_is_still_a_payment(shopper, order, deliver):
    cancel(shopper, order)
    deliver(stripe_events.completed(order))

    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID


def test_the_webhook_that_tells_first_of_the_end_knows_whose_wish_it_was(
    shopper, order, bell, line, deliver, quick_retries
):
    line.next_come("cut", "cut", "cut")
    assert cancel(shopper, order).status_code == 503
    deliver(stripe_events.expired(order))

    assert_cancelled(order, bell, Source.SHOPPER)


@pytest.mark.parametrize("troubles", [[500] * 3, [503] * 3, [429]], ids=["500", "503", "429"])
def test_with_stripe_away_the_wish_is_kept_and_said_so(line, shopper, order, bell, troubles, quick_retries):
    line.next_come(*troubles)
    response = cancel(shopper, order)

    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert "Not cancelled yet" in response.text
    assert f'action="/orders/{order.public_id}/cancel/"' in response.text
    assert_pending(order, bell, version=2)

    assert cancel(shopper, order).status_code == 303
    assert_cancelled(order, bell, Source.SHOPPER)
    assert order.version == 3, "the same wish again is no news"


def test_nobody_else_cancels_it_or_learns_that_it_exists(order, bell):
    stranger, member = Client(), Client()
    stranger.get("/")
    member.force_login(factories.user())

    for client in (stranger, member, Client()):
        assert cancel(client, order).status_code == 404
        assert client.post(f"/orders/{uuid.uuid4()}/cancel/").status_code == 404
    assert_pending(order, bell)


def test_cancelling_wants_a_post_and_a_token(shopper, order, bell):
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = shopper.cookies

    assert careful.get(f"/orders/{order.public_id}/cancel/").status_code == 405
    assert cancel(careful, order).status_code == 403
    assert_pending(order, bell)


@pytest.mark.parametrize("status", [PaymentStatus.PROCESSING, PaymentStatus.PAID, PaymentStatus.FAILED])
def test_what_is_no_longer_open_is_not_cancelled(shopper, order, status):
    known = {"payment_intent_id": "pi_1", "email": "", "source": Source.WEBHOOK}
    order.mark_processing(**known)
    {"paid": order.mark_paid, "failed": order.mark_failed}.get(status, lambda **known: None)(**known)
    version = order.version

    assert cancel(shopper, order).status_code == 303
    order.refresh_from_db()
    assert (order.payment_status, order.version) == (status, version)


# --- staff ----------------------------------------------------------------------------------------


def test_staff_cancel_an_order_and_the_timeline_says_who(stripe, staff, shopper, order, bell):
    answer = cancel_as_staff(staff, order, headers=HTMX)

    assert "The order is cancelled." in answer.text
    assert_cancelled(order, bell, Source.STAFF, who="boss")
    assert session_of(stripe, order).status == "expired"
    assert "Cancelled by the shop" in shopper.get(order.get_absolute_url()).text


def test_staff_are_told_that_the_payment_was_faster(stripe, staff, order):
    stripe.pay(session_of(stripe, order))

    assert "Not cancelled: “Paid”." in cancel_as_staff(staff, order, headers=HTMX).text
    assert "Not cancelled: “Paid”." in cancel_as_staff(staff, order, follow=True).text


def test_with_stripe_away_staff_are_told_that_it_will_end_by_itself(
    line, staff, order, bell, deliver, quick_retries
):
    line.next_come(*[500] * 3)

    assert "Stripe has not answered yet." in cancel_as_staff(staff, order, headers=HTMX).text
    assert_pending(order, bell, version=2)
    shown = staff.get(f"/dashboard/orders/{order.public_id}/").text
    assert "Somebody wants it cancelled." in shown
    assert 'data-can=""' in shown, "it is asked for already"
    assert asked(shown) == ["Asked to cancel Staff boss"]

    deliver(stripe_events.expired(order))
    assert_cancelled(order, bell, Source.STAFF, who="boss")


def test_a_wish_that_a_payment_was_faster_than_stays_in_the_timeline_of_staff_and_is_hidden_from_the_shopper(
    line, staff, shopper, order, deliver, quick_retries
):
    line.next_come(*[500] * 3)
    cancel(shopper, order)
    deliver(stripe_events.completed(order))

    order.refresh_from_db()
    assert (order.payment_status, order.version) == (PaymentStatus.PAID, 3)
    assert asked(staff.get(f"/dashboard/orders/{order.public_id}/").text) == ["Asked to cancel Shopper"]
    assert "sked to cancel" not in shopper.get(order.get_absolute_url()).text
    told = shopper.get(f"/api/v1/orders/{order.public_id}/").json()["timeline"]
    assert [change["what"] for change in told] == ["placed", "payment_status"]


def test_a_wish_that_its_shopper_takes_back_is_told_too_and_what_staff_want_stands(staff, order):
    assert order.checkout.ask_to_cancel(source=Source.SHOPPER)
    order.checkout.keep()
    order.checkout.keep()
    assert (order.cancelling, order.version) == ("", 3)
    assert 'data-can="cancel"' in staff.get(f"/dashboard/orders/{order.public_id}/").text

    assert order.checkout.ask_to_cancel(source=Source.STAFF)
    assert order.checkout.ask_to_cancel(source=Source.SHOPPER)
    order.checkout.keep()
    assert (order.cancelling, order.version) == (Source.STAFF, 4)
    assert asked(staff.get(f"/dashboard/orders/{order.public_id}/").text) == [
        "Asked to cancel Shopper",
        "Not to be cancelled after all Shopper",
        "Asked to cancel Staff",
    ]


def test_what_was_held_for_staff_can_still_be_cancelled_by_them_whoever_asked_before(staff, order):
    order.checkout.ask_to_cancel(source=Source.SHOPPER)
    order.flag("Paid with another amount.", source=Source.WEBHOOK)
    order.resolve(who_id=None)

    assert 'data-can="cancel"' in staff.get(f"/dashboard/orders/{order.public_id}/").text
