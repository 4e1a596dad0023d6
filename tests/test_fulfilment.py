"""The goods' way to their buyer and back: step by step, only what was paid, and no unit twice."""

from functools import partial

import pytest
from django.db import transaction

from shop.models import FulfilmentStatus, NotRestockable, Order, OrderLine, PaymentStatus, Product, Source
from shop.models.moves import FULFILMENT, UNDO
from tests import factories
from tests.stripe_events import event, refund

pytestmark = pytest.mark.django_db

UNFULFILLED, PREPARING, SHIPPED, DELIVERED, CANCELLED = FulfilmentStatus
STEPS = {
    "prepare": PREPARING,
    "ship": SHIPPED,
    "deliver": DELIVERED,
    "cancel": CANCELLED,
}
FORWARD = {
    UNFULFILLED: {"prepare", "cancel"},
    PREPARING: {"ship", "cancel"},
    SHIPPED: {"deliver"},
    DELIVERED: set(),
    CANCELLED: set(),
}
"""What staff may do next; the rest of the table is undoing."""


def take(order, step, who_id=None):
    way = {"carrier": "Post", "tracking_url": "https://post.example/1"} if step == "ship" else {}
    return getattr(order.fulfilment, step)(who_id=who_id, **way)


def brought_to(status):
    """A paid order, its goods as far as that."""
    order = factories.paid_order()
    way = {PREPARING: ["prepare"], SHIPPED: ["prepare", "ship"], DELIVERED: ["prepare", "ship", "deliver"]}
    for step in way.get(status, ["cancel"] if status == CANCELLED else []):
        assert take(order, step)
    return order


def last_change(order):
    change = order.changes.latest("version")
    return change.what, change.before, change.after, change.source


# --- steps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("before", FulfilmentStatus)
def test_a_step_is_taken_from_where_it_leads_on_and_from_nowhere_else(before, step):
    order, staff = brought_to(before), factories.user()
    version = order.version

    assert take(order, step, staff.pk) == (step in FORWARD[before])
    order.refresh_from_db()
    if step in FORWARD[before]:
        assert order.fulfilment_status == STEPS[step]
        assert order.version == version + 1
        assert last_change(order) == ("fulfilment_status", before, STEPS[step], Source.STAFF)
        assert order.changes.latest("version").who == staff
    else:
        assert (order.fulfilment_status, order.version) == (before, version)


def test_the_table_says_the_same():
    undoing = {(before, after) for before, after in UNDO.items()}
    forward = {(before, STEPS[step]) for before, steps in FORWARD.items() for step in steps}
    assert {(before, after) for before, row in FULFILMENT.items() for after in row} == forward | undoing


@pytest.mark.parametrize("step", set(FulfilmentStatus) - {UNFULFILLED})
def test_a_step_is_undone_by_one(step):
    order, staff = brought_to(step), factories.user()

    assert order.fulfilment.undo(step=step, who_id=staff.pk)
    order.refresh_from_db()
    assert order.fulfilment_status == UNDO[step]
    assert last_change(order) == ("fulfilment_status", step, UNDO[step], Source.STAFF)
    assert order.changes.latest("version").who == staff


def test_nothing_comes_before_the_beginning():
    order = brought_to(UNFULFILLED)
    assert not order.fulfilment.undo(step=UNFULFILLED, who_id=None)


@pytest.mark.parametrize("step", [UNFULFILLED, SHIPPED, DELIVERED, "gone"])
def test_only_the_step_that_somebody_saw_is_undone(step):
    order = brought_to(PREPARING)
    assert not order.fulfilment.undo(step=step, who_id=None)
    assert Order.objects.get().fulfilment_status == PREPARING


@pytest.mark.django_db(transaction=True)
def test_two_who_undo_a_step_at_the_same_moment_undo_one(at_once):
    order = brought_to(DELIVERED)

    def undo():
        return Order.objects.get(pk=order.pk).fulfilment.undo(step=DELIVERED, who_id=None)

    assert sorted(at_once([undo] * 6)) == [False] * 5 + [True]
    order.refresh_from_db()
    assert order.fulfilment_status == SHIPPED


@pytest.mark.django_db(transaction=True)
def test_two_who_take_a_step_at_the_same_moment_take_it_once(at_once):
    order = brought_to(UNFULFILLED)
    steps = [partial(take, Order.objects.get(pk=order.pk), "prepare") for _ in range(6)]

    assert sorted(at_once(steps)) == [False] * 5 + [True]
    order.refresh_from_db()
    assert order.version == 3


def test_a_parcels_way_is_known_until_its_sending_is_undone():
    order = brought_to(SHIPPED)
    assert (order.carrier, order.tracking_url) == ("Post", "https://post.example/1")

    take(order, "deliver")
    order.fulfilment.undo(step=DELIVERED, who_id=None)
    assert Order.objects.get().carrier == "Post", "it has been sent all the same"
    order.fulfilment.undo(step=SHIPPED, who_id=None)
    order = Order.objects.get()
    assert (order.carrier, order.tracking_url) == ("", "")


def test_what_was_refunded_wholly_is_not_sent_and_in_part_is(deliver):
    order = factories.paid_order()
    deliver(event("refund.created", refund(order, 2000)))
    assert take(order, "prepare")

    rest = refund(order, 500)
    deliver(event("refund.created", rest))
    assert not take(order, "ship")
    deliver(event("refund.failed", rest | {"status": "failed"}))
    assert take(order, "ship"), "its buyer has paid for it after all"


# --- back on the shelf ------------------------------------------------------------------------------


@pytest.fixture
def gong():
    return factories.product(stock=None)


@pytest.fixture
def order(bell, gong):
    """Paid: three of the five bells, and two gongs of as many as one wants."""
    return factories.paid_order(None, (bell, 3), (gong, 2))


def stock(product):
    product.refresh_from_db()
    return product.stock, product.held


def lines(order):
    """Line of the bell, line of the gong."""
    return OrderLine.objects.filter(order=order).order_by("pk")


def restock(order, *counts):
    units = {line.pk: count for line, count in zip(lines(order), counts, strict=True)}
    return order.fulfilment.restock(units, who_id=None)


def test_what_comes_back_is_for_sale_again(order, bell, gong):
    assert stock(bell) == (2, 0)
    assert restock(order, 1, 2)

    assert (stock(bell), stock(gong)) == ((3, 0), (None, 0))
    assert [line.restocked for line in lines(order)] == [1, 2]
    assert last_change(order) == ("restock", "", "3", Source.STAFF)
    assert restock(order, 2, 0)
    assert stock(bell) == (5, 0)
    assert [line.restockable for line in lines(order)] == [0, 0]


@pytest.mark.parametrize("counts", [(4, 0), (1, 3), (-1, 0), (99, 99)])
def test_more_than_went_out_does_not_come_back_nor_anything_with_it(order, bell, counts):
    with pytest.raises(NotRestockable), transaction.atomic():
        restock(order, *counts)

    assert stock(bell) == (2, 0)
    assert [line.restocked for line in lines(order)] == [0, 0]
    assert Order.objects.get().version == order.version


def test_nothing_is_no_news(order, bell):
    assert not restock(order, 0, 0)
    assert not order.fulfilment.restock({}, who_id=None)
    assert stock(bell) == (2, 0)


def test_units_of_another_order_do_not_come_back_with_this_one(order, bell):
    other = factories.paid_order(None, (bell, 1))
    with pytest.raises(NotRestockable), transaction.atomic():
        order.fulfilment.restock({other.goods[0].pk: 1}, who_id=None)
    assert stock(bell) == (1, 0)


def test_what_was_missing_when_it_was_paid_cannot_come_back():
    last = factories.product(stock=1)
    late = factories.order(None, (last, 1))
    late.expire(source=Source.WEBHOOK)
    factories.order(None, (last, 1))
    late.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)

    with pytest.raises(NotRestockable), transaction.atomic():
        late.fulfilment.restock({late.lines.get().pk: 1}, who_id=None)
    assert stock(last) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_the_same_units_do_not_come_back_twice_at_the_same_moment(at_once, order, bell):
    def back():
        try:
            return restock(Order.objects.get(pk=order.pk), 3, 0)
        except NotRestockable:
            return False

    assert sorted(at_once([back] * 6)) == [False] * 5 + [True]
    assert stock(bell) == (5, 0)


def test_a_refund_brings_nothing_back_by_itself(deliver, order, bell):
    deliver(event("refund.created", refund(order, order.amount_total)))

    assert Order.objects.get().payment_status == PaymentStatus.PAID
    assert stock(bell) == (2, 0)
    assert restock(order, 3, 2)
    assert Product.objects.get(pk=bell.pk).available == 5
