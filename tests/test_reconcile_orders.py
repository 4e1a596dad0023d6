"""Orders that stay open too long: the reconciler asks Stripe for each, and its answer counts."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db.models import F
from django.utils import timezone

from shop import checkout, reconcile
from shop.models import (
    Order,
    PaymentStatus,
    Product,
    Source,
)
from shop.reconcile import Reconciler
from tests import factories
from tests.buying import session_of
from tests.local_stripe import eventually
from tests.reconciling import age, bought, last_change, paid_at_stripe, run, state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_retries", "shopper_is_here")]


@pytest.fixture
def bell():
    return factories.product(stock=9)


def test_an_order_whose_webhook_never_came_is_paid_by_one_request(line, stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=11)
    line.asked.clear()

    summary = run()
    assert state(order) == (PaymentStatus.PAID, 2)
    assert last_change(order).source == Source.RECONCILER
    assert (summary.orders_asked, summary.orders_changed, summary.unanswered) == (1, 1, 0)
    assert [method for method, _key in line.asked] == ["GET", "GET"]  # the events, and this order
    bell.refresh_from_db()
    assert (bell.stock, bell.held) == (7, 0)


def test_an_order_that_is_young_is_left_to_its_webhook(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=9)

    assert run().orders_asked == 0
    assert state(order) == (PaymentStatus.PENDING, 1)


def test_an_open_session_leaves_its_order_as_it_is(stripe, shopper, bell):
    order = bought(shopper, bell)
    age(order, minutes=11)

    assert run().orders_changed == 0
    assert state(order) == (PaymentStatus.PENDING, 1)


def test_an_order_is_asked_for_again_when_a_tenth_of_its_life_has_gone_by(stripe, shopper, bell):
    order = bought(shopper, bell)
    age(order, minutes=20)

    assert run().orders_asked == 1
    assert run().orders_asked == 0
    Order.objects.update(checked_at=F("checked_at") - timedelta(minutes=1, seconds=50))
    assert run().orders_asked == 0
    Order.objects.update(checked_at=F("checked_at") - timedelta(seconds=15))
    assert run().orders_asked == 1


def test_whoever_waits_longest_is_asked_for_first_when_the_time_is_short(stripe, shopper, bell):
    orders = [factories.order(None, (bell, 1)) for _ in range(3)]
    for order, minutes in zip(orders, (None, 5, 30), strict=True):
        asked = minutes and timezone.now() - timedelta(minutes=minutes)
        Order.objects.filter(pk=order.pk).update(checked_at=asked)
        age(order, hours=1)

    never, lately, long_ago = (order.pk for order in orders)
    in_doubt = Order.objects.in_doubt(reconcile.OLD_ENOUGH, every=True)
    assert list(in_doubt.values_list("pk", flat=True)) == [never, long_ago, lately]


def test_a_session_that_has_expired_unheard_frees_the_stock(stripe, shopper, bell):
    order = bought(shopper, bell)
    stripe.client().v1.checkout.sessions.expire(order.stripe_session_id)
    age(order, minutes=35)

    run()
    assert state(order) == (PaymentStatus.EXPIRED, 2)
    bell.refresh_from_db()
    assert (bell.stock, bell.held) == (9, 0)


def test_an_order_that_never_got_as_far_as_stripe_is_ended_when_its_time_is_over(stripe, bell):
    order = factories.order(None, (bell, 2))
    age(order, hours=1)
    assert run().orders_changed == 0, "it may still be paid"

    Order.objects.update(checkout_expires_at=timezone.now() - timedelta(seconds=1))
    run(every_order=True)
    assert state(order) == (PaymentStatus.EXPIRED, 2)
    assert Product.objects.get().held == 0


def test_a_session_that_stripe_does_not_know_ends_its_order(stripe, bell, caplog):
    order = factories.order(None, (bell, 2))
    Order.objects.update(stripe_session_id="cs_test_of_another_account")
    age(order, hours=1)

    run()
    assert state(order) == (PaymentStatus.EXPIRED, 2)
    assert "does not know" in caplog.text


@pytest.mark.parametrize(
    ("iban", "end"),
    [
        ("AT611904300234573201", PaymentStatus.PAID),
        ("AT861904300235473202", PaymentStatus.FAILED),
    ],
)
def test_a_bank_debit_is_followed_to_its_end(unheard, shopper, bell, iban, end):
    order = paid_at_stripe(unheard, bought(shopper, bell), method="debit", iban=iban)
    eventually(
        lambda: (
            {"checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"}
            & set(unheard.event_types())
        )
    )
    age(order, minutes=11)

    async_to_sync(Reconciler().open_orders)()
    assert state(order)[0] == end
    assert last_change(order).source == Source.RECONCILER
    bell.refresh_from_db()
    assert (bell.stock, bell.held) == ((7, 0) if end == PaymentStatus.PAID else (9, 0))


def test_a_wish_to_cancel_that_stripe_did_not_hear_is_repeated(stripe, shopper, bell):
    order = bought(shopper, bell)
    order.checkout.ask_to_cancel(source=Source.SHOPPER)

    run()
    assert state(order) == (PaymentStatus.CANCELLED, 3)
    assert last_change(order).source == Source.SHOPPER
    assert session_of(stripe, order).status == "expired"


def test_a_wish_to_cancel_is_forgotten_when_its_shopper_goes_to_pay_after_all(stripe, shopper, bell):
    order = bought(shopper, bell)
    order.checkout.ask_to_cancel(source=Source.SHOPPER)
    assert bought(shopper, bell) == order

    assert run().orders_asked == 0
    paid_at_stripe(stripe, order)
    age(order, minutes=11)
    run()
    assert state(order) == (PaymentStatus.PAID, 4)


def test_a_payment_that_was_faster_than_the_wish_to_cancel_counts(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    order.checkout.ask_to_cancel(source=Source.SHOPPER)

    run()
    assert state(order) == (PaymentStatus.PAID, 3)


@pytest.mark.django_db(transaction=True)
def test_an_order_that_cannot_be_brought_up_to_date_keeps_no_other_from_it(stripe, shopper, bell, caplog):
    bad, good = (paid_at_stripe(stripe, bought(shopper, factories.product())) for _ in range(2))
    twin = factories.order(None, (bell, 1))  # has the payment that the first one should get
    Order.objects.filter(pk=twin.pk).update(payment_intent_id=session_of(stripe, bad).payment_intent)
    age(bad, minutes=12)
    age(good, minutes=11)

    summary = run()
    assert (summary.failed, summary.orders_changed) == (1, 1)
    assert (state(bad)[0], state(good)[0]) == (PaymentStatus.PENDING, PaymentStatus.PAID)
    assert run().orders_asked == 0, "it has had its turn"
    assert f"order {bad.pk}" in caplog.text


def test_an_order_that_got_a_new_session_does_not_end_with_its_lost_one(stripe, shopper, bell):
    order = bought(shopper, bell)
    assert checkout.forsake(order, "cs_test_lost", Source.RECONCILER) is False
    assert state(order) == (PaymentStatus.PENDING, 1)


def test_what_staff_want_cancelled_is_not_paid_after_all(stripe, shopper, bell):
    order = bought(shopper, bell)
    order.checkout.ask_to_cancel(source=Source.STAFF)

    assert shopper.post(f"/orders/{order.public_id}/pay/")["Location"] == order.get_absolute_url()
    assert state(order) == (PaymentStatus.CANCELLED, 3)
    assert session_of(stripe, order).status == "expired"
