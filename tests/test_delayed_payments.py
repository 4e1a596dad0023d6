"""Payments that take days, and payments that come when nobody waits for them any more."""

import time
from functools import partial
from itertools import permutations

import pytest
from django.db import transaction
from django.test import Client

from shop.models import (
    FulfilmentStatus,
    NotRefundable,
    Order,
    OrderChange,
    Outcome,
    PaymentStatus,
    Refund,
    StripeEvent,
)
from tests import factories, stripe_events
from tests.stripe_events import async_payment, completed, expired

pytestmark = pytest.mark.django_db


def promised(order):
    """Complete, and the money is on its way."""
    return completed(order, payment_status="unpaid")


def outcome_of(event):
    return StripeEvent.objects.get(pk=event["id"]).outcome


def statuses(order):
    moves = OrderChange.objects.filter(order=order, what=OrderChange.What.PAYMENT)
    return list(moves.values_list("after", flat=True))


# --- the two ends of a bank's debit ---------------------------------------------------------------


def test_a_debit_that_succeeds_pays_the_order_when_the_money_is_there(deliver, order, state):
    deliver(promised(order))
    assert state() == (PaymentStatus.PROCESSING, 2, 5, 2)

    assert deliver(async_payment(order, succeeded=True)).status_code == 200
    assert state() == (PaymentStatus.PAID, 3, 3, 0)
    assert statuses(order) == ["processing", "paid"]
    assert order.paid_at == order.updated_at


def test_a_debit_that_fails_ends_the_order_and_frees_its_stock(deliver, order, state):
    deliver(promised(order))
    assert deliver(async_payment(order, succeeded=False)).status_code == 200

    assert state() == (PaymentStatus.FAILED, 3, 5, 0)
    assert statuses(order) == ["processing", "failed"]
    assert order.paid_at is None


@pytest.mark.parametrize("succeeded", [True, False], ids=["succeeded", "failed"])
@pytest.mark.parametrize("order_of_arrival", list(permutations(range(3))), ids=str)
def test_in_whatever_order_the_news_come_and_come_again_the_end_is_the_same_24(
    deliver, order, state, succeeded, order_of_arrival
):
    word = async_payment(order, succeeded=succeeded)
    news = [promised(order), word, word]
    for which in order_of_arrival:
        assert deliver(news[which]).status_code == 200

    status, _version, stock, held = state()
    end = (PaymentStatus.PAID, 3, 0) if succeeded else (PaymentStatus.FAILED, 5, 0)
    assert (status, stock, held) == end
    assert outcome_of(word) == Outcome.APPLIED
    versions = OrderChange.objects.filter(order=order).values_list("version", flat=True)
    assert list(versions) == list(range(1, order.version + 1))


def test_the_promise_that_comes_after_the_money_is_boring(deliver, order, state):
    late = promised(order)
    deliver(async_payment(order, succeeded=True))
    deliver(late)

    assert state() == (PaymentStatus.PAID, 2, 3, 0)
    assert outcome_of(late) == Outcome.IGNORED
    assert statuses(order) == ["paid"]


def test_money_that_comes_after_the_bank_has_said_no_is_still_a_payment(deliver, order, state):
    deliver(async_payment(order, succeeded=False))
    deliver(async_payment(order, succeeded=True))

    assert state() == (PaymentStatus.PAID, 3, 3, 0)
    assert order.needs_attention == ""


def test_a_bank_that_says_no_after_the_money_was_there_takes_nothing_back(deliver, order, state):
    deliver(async_payment(order, succeeded=True))
    late = async_payment(order, succeeded=False)
    deliver(late)

    assert state() == (PaymentStatus.PAID, 2, 3, 0)
    assert outcome_of(late) == Outcome.IGNORED


def test_a_session_that_is_said_to_have_expired_ends_no_payment_that_is_on_its_way(deliver, order, state):
    deliver(promised(order))
    odd = expired(order)
    deliver(odd)

    assert state() == (PaymentStatus.PROCESSING, 2, 5, 2)
    assert outcome_of(odd) == Outcome.IGNORED


def test_what_a_failed_payment_held_can_be_bought_again(deliver, order, bell, state):
    deliver(promised(order))
    deliver(async_payment(order, succeeded=False))

    assert factories.order(None, (bell, 5)).payment_status == PaymentStatus.PENDING
    assert state() == (PaymentStatus.FAILED, 3, 5, 5)


# --- nothing is fulfilled while it is unpaid --------------------------------------------------------


UNPAID = {
    "not yet paid": [],
    "on its way": [promised],
    "failed": [promised, partial(async_payment, succeeded=False)],
    "expired": [expired],
}


@pytest.mark.parametrize("story", UNPAID.values(), ids=UNPAID.keys())
def test_nothing_is_sent_given_back_or_put_back_of_what_is_not_paid(deliver, order, story):
    for happens in story:
        deliver(happens(order))
    order.refresh_from_db()
    version, line = order.version, order.goods[0]

    steps = order.fulfilment
    assert not steps.prepare(who_id=None)
    assert not steps.ship(carrier="", tracking_url="", who_id=None)
    assert not steps.deliver(who_id=None)
    assert not steps.cancel(who_id=None)
    assert not steps.undo(step=FulfilmentStatus.PREPARING, who_id=None)
    assert not steps.restock({line.pk: 1}, who_id=None)
    with pytest.raises(NotRefundable), transaction.atomic():
        Refund.objects.request(order, 1, reason="", note="", who_id=None)
    order.refresh_from_db()
    assert (order.fulfilment_status, order.version) == (FulfilmentStatus.UNFULFILLED, version)


# --- at the same moment, and too late ---------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_promise_and_the_money_at_the_same_moment_leave_one_paid_order(at_once, order, state):
    def post(event):
        body, headers = stripe_events.signed(event)
        return Client().post("/stripe-webhook/", body, content_type="application/json", headers=headers)

    news = [promised(order), async_payment(order, succeeded=True)] * 4
    assert [answer.status_code for answer in at_once([partial(post, event) for event in news])] == [200] * 8

    status, _version, stock, held = state()
    assert (status, stock, held) == (PaymentStatus.PAID, 3, 0)
    versions = OrderChange.objects.filter(order=order).values_list("version", flat=True)
    assert list(versions) == list(range(1, order.version + 1))


def test_an_event_that_is_a_month_old_counts_24(deliver, order, state):
    late = async_payment(order, succeeded=True) | {"created": int(time.time()) - 30 * 86400}
    deliver(expired(order))
    assert deliver(late).status_code == 200

    assert state() == (PaymentStatus.PAID, 3, 3, 0)


def test_of_what_is_paid_after_its_end_only_what_is_gone_is_missing_24(deliver, bell):
    gong = factories.product(stock=1)
    order = factories.order(None, (bell, 2), (gong, 1))
    deliver(expired(order))
    rival = factories.order(None, (gong, 1))

    assert deliver(completed(order)).status_code == 200
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID
    assert "no longer in stock" in order.needs_attention
    missing = {line.product_id: line.missing for line in order.lines.all()}
    assert missing == {bell.pk: False, gong.pk: True}
    bell.refresh_from_db()
    gong.refresh_from_db()
    assert (bell.stock, bell.held) == (3, 0)
    assert (gong.stock, gong.held) == (1, 1), "the rival keeps hers"

    deliver(completed(rival))
    assert Order.objects.get(pk=rival.pk).needs_attention == ""
    assert not rival.lines.get().missing


@pytest.mark.django_db(transaction=True)
def test_two_late_payments_for_the_last_unit_at_the_same_moment_take_it_once(at_once, deliver):
    last = factories.product(stock=1)
    late = []
    for _ in range(2):
        late.append(factories.order(None, (last, 1)))
        deliver(expired(late[-1]))

    def pay(order):
        body, headers = stripe_events.signed(completed(order))
        return Client().post("/stripe-webhook/", body, content_type="application/json", headers=headers)

    assert [answer.status_code for answer in at_once([partial(pay, order) for order in late])] == [200, 200]
    last.refresh_from_db()
    assert (last.stock, last.held) == (0, 0)
    paid = Order.objects.filter(pk__in=[order.pk for order in late], payment_status=PaymentStatus.PAID)
    assert sorted(order.lines.get().missing for order in paid) == [False, True]
