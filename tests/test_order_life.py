"""An order's verbs: which moves there are, what each leaves behind, and what it announces."""

from functools import partial

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from shop.models import (
    DisputeStatus,
    Order,
    PaymentStatus,
    Product,
    RefundStatus,
    SoldOut,
    Source,
)
from shop.models.moves import HOLDING, MOVES, PAYMENT
from shop.signals import order_changed, stock_changed
from tests import factories

pytestmark = pytest.mark.django_db

VERBS = {
    "mark_processing": (PaymentStatus.PROCESSING, {"payment_intent_id": "pi_1", "email": "ada@example.com"}),
    "mark_paid": (PaymentStatus.PAID, {"payment_intent_id": "pi_1", "email": "ada@example.com"}),
    "mark_failed": (PaymentStatus.FAILED, {"payment_intent_id": "pi_1", "email": "ada@example.com"}),
    "expire": (PaymentStatus.EXPIRED, {}),
}
EVERY_MOVE = [(before, verb) for before in PaymentStatus for verb in VERBS]


def order_in(status, product):
    """An order for two, brought to the status past the verbs."""
    order = factories.order(None, (product, 2))
    paid_at = Now() if status == PaymentStatus.PAID else None
    Order.objects.filter(pk=order.pk).update(payment_status=status, paid_at=paid_at)
    if status not in HOLDING:
        Product.objects.filter(pk=product.pk).update(held=0)
    order.refresh_from_db()
    return order


def facts(order):
    order.refresh_from_db()
    return {name: value for name, value in vars(order).items() if not name.startswith("_")}


@pytest.fixture
def heard():
    """What was announced: ("order", id) and ("stock", ids), in order."""
    news = []

    def on_order(order_id, **kwargs):
        news.append(("order", order_id))

    def on_stock(product_ids, **kwargs):
        news.append(("stock", product_ids))

    order_changed.connect(on_order)
    stock_changed.connect(on_stock)
    yield news
    order_changed.disconnect(on_order)
    stock_changed.disconnect(on_stock)


# --- moves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "verb"), EVERY_MOVE, ids=[f"{verb} when {b}" for b, verb in EVERY_MOVE])
def test_a_verb_makes_the_allowed_move_or_none(before, verb):
    bell = factories.product(stock=5)
    order = order_in(before, bell)
    then = facts(order)
    after, arguments = VERBS[verb]

    changed = getattr(order, verb)(source=Source.WEBHOOK, **arguments)

    assert changed == (after in PAYMENT[before])
    if changed:
        assert (facts(order)["payment_status"], order.version) == (after, 2)
        change = order.changes.get(version=2)
        assert (change.before, change.after, change.source) == (before, after, Source.WEBHOOK)
    else:
        assert facts(order) == then
        assert order.changes.count() == 1
    bell.refresh_from_db()
    taken = 2 if changed and after == PaymentStatus.PAID else 0
    held = 2 if order.payment_status in HOLDING else 0
    assert (bell.stock, bell.held) == (5 - taken, held)


@pytest.mark.parametrize("status", [PaymentStatus.EXPIRED, PaymentStatus.CANCELLED])
def test_a_delayed_payment_of_a_lapsed_order_takes_nothing_that_others_hold(status):
    bell = factories.product(stock=5)
    order = order_in(status, bell)
    factories.order(None, (bell, 4))

    order.mark_processing(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
    assert order.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)

    bell.refresh_from_db()
    assert (bell.stock, bell.held) == (5, 4)
    assert "no longer in stock" in order.needs_attention


def test_nothing_leads_away_from_paid():
    assert PAYMENT[PaymentStatus.PAID] == frozenset()


@pytest.mark.parametrize("kind", MOVES, ids=lambda kind: kind.__name__)
def test_every_status_has_its_row_in_the_rule_book(kind):
    assert set(MOVES[kind]) == set(kind)
    assert set().union(*MOVES[kind].values()) <= set(kind)


@pytest.mark.parametrize("kind", [RefundStatus, DisputeStatus], ids=lambda kind: kind.__name__)
def test_what_stripe_tells_in_any_order_comes_to_the_same_end(kind):
    """Where one state leads to the next and that to a third, it leads there at once, too; and never back."""
    table = MOVES[kind]
    for before, row in table.items():
        assert before not in row
        for after in row:
            assert table[after] <= row


@pytest.mark.parametrize("wish", [Source.SHOPPER, Source.STAFF])
def test_an_order_whose_end_somebody_wanted_is_cancelled_by_them(wish):
    order, who = factories.order(), factories.user()
    assert order.checkout.ask_to_cancel(source=wish, who_id=who.pk)
    assert order.payment_status == PaymentStatus.PENDING, "its session can still be paid"

    assert order.expire(source=Source.WEBHOOK)
    change = order.changes.latest("version")
    assert (order.payment_status, change.after) == (PaymentStatus.CANCELLED, "cancelled")
    assert (change.source, change.who) == (wish, who)


@pytest.mark.parametrize("status", set(PaymentStatus) - {PaymentStatus.PENDING})
def test_only_what_is_open_can_be_wanted_cancelled(status):
    order = order_in(status, factories.product())
    version = order.version
    assert not order.checkout.ask_to_cancel(source=Source.SHOPPER)
    assert (order.cancelling, order.version) == ("", version)


def test_a_payment_brings_its_time_its_intent_and_the_address_for_the_receipt():
    order = factories.order()

    order.mark_paid(payment_intent_id="pi_7", email="ada@example.com", source=Source.WEBHOOK)

    order.refresh_from_db()
    assert (order.payment_intent_id, order.email) == ("pi_7", "ada@example.com")
    assert order.paid_at == order.updated_at


# --- versions and the timeline --------------------------------------------------------------------


def test_the_version_rises_by_one_with_one_change_each():
    order = factories.order()
    order.flag("Odd.", source=Source.WEBHOOK)
    order.mark_processing(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
    order.mark_paid(payment_intent_id="pi_1", email="", source=Source.RETURN_PAGE)
    order.hand_over(factories.user().pk)
    order.flag("Odder.", source=Source.STAFF)
    order.resolve(who_id=None)

    order.refresh_from_db()
    assert order.version == 7
    assert list(order.changes.values_list("version", "what", "before", "after", "source")) == [
        (1, "placed", "", "pending", "shopper"),
        (2, "needs_attention", "", "Odd.", "webhook"),
        (3, "payment_status", "pending", "processing", "webhook"),
        (4, "payment_status", "processing", "paid", "return_page"),
        (5, "owner", "guest", "account", "shopper"),
        (6, "needs_attention", "Odd.", "Odder.", "staff"),
        (7, "needs_attention", "Odder.", "", "staff"),
    ]


def test_saying_it_again_is_no_news():
    order = factories.order()

    assert order.flag("Odd.", source=Source.WEBHOOK)
    assert not order.flag("Odd.", source=Source.WEBHOOK)
    assert order.hand_over(factories.user().pk)
    assert not order.hand_over(factories.user().pk)
    assert order.version == 3
    assert order.resolve(who_id=None)
    assert not order.resolve(who_id=None)
    assert order.version == 4


def test_a_verb_goes_by_the_database_not_by_what_the_caller_read_long_ago():
    order = factories.order()
    stale = Order.objects.get(pk=order.pk)
    order.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)

    assert not stale.expire(source=Source.RECONCILER)
    assert stale.payment_status == PaymentStatus.PAID


@pytest.mark.django_db(transaction=True)
def test_verbs_at_the_same_moment_wait_for_each_other(at_once):
    bell = factories.product(stock=5)
    order = factories.order(None, (bell, 2))

    def verb(name):
        _after, arguments = VERBS[name]
        return getattr(Order.objects.get(pk=order.pk), name)(source=Source.WEBHOOK, **arguments)

    at_once([partial(verb, name) for name in VERBS for _ in range(4)])

    order.refresh_from_db()
    bell.refresh_from_db()
    assert list(order.changes.values_list("version", flat=True)) == list(range(1, order.version + 1))
    assert (order.payment_status, bell.held) == (PaymentStatus.PAID, 0)
    assert bell.stock == 3


# --- placing ----------------------------------------------------------------------------------------


def test_names_and_prices_are_frozen_when_the_order_is_placed():
    bell = factories.product(name="Bell", unit_amount=1250)
    order = factories.order(None, (bell, 3))
    bell.revise(name="Gong", unit_amount=9999)

    line = order.lines.get()
    assert (line.name, line.unit_amount, line.quantity, line.amount) == ("Bell", 1250, 3, 3750)
    assert order.amount_total == 3750


def test_an_order_that_cannot_hold_everything_holds_nothing():
    plenty, few = factories.product(stock=5), factories.product(stock=1)
    with pytest.raises(SoldOut) as sold_out:
        factories.order(None, (plenty, 5), (few, 2))

    assert sold_out.value.product == few
    assert not Order.objects.exists()
    assert list(Product.objects.values_list("held", "version")) == [(0, 1), (0, 1)]


def test_what_has_no_stock_limit_never_sells_out():
    endless = factories.product(stock=None)
    order = factories.order(None, (endless, 99))
    order.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)

    endless.refresh_from_db()
    assert (endless.stock, endless.held, endless.available) == (None, 0, None)


@pytest.mark.django_db(transaction=True)
def test_carts_in_opposite_order_do_not_lock_each_other_out(at_once):
    one, two = factories.product(stock=50), factories.product(stock=50)
    carts = [[(one, 1), (two, 2)], [(two, 1), (one, 2)]] * 6

    orders = at_once([partial(factories.order, None, *cart) for cart in carts])

    assert len({order.pk for order in orders}) == 12
    assert list(Product.objects.values_list("held", flat=True)) == [18, 18]


# --- announcements ----------------------------------------------------------------------------------


def test_a_change_is_announced_once_and_only_after_the_commit(heard, django_capture_on_commit_callbacks):
    bell = factories.product()
    order = factories.order(None, (bell, 2))
    assert heard == []

    with django_capture_on_commit_callbacks(execute=True):
        order.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
        assert heard == []

    assert sorted(heard) == [("order", order.pk), ("stock", [bell.pk])]


def test_no_change_is_not_announced(heard, django_capture_on_commit_callbacks):
    order = factories.order()
    order.expire(source=Source.WEBHOOK)

    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        order.expire(source=Source.WEBHOOK)
    assert (callbacks, heard) == ([], [])


def test_what_is_rolled_back_is_not_announced(heard, django_capture_on_commit_callbacks):
    order = factories.order()

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        order.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
        transaction.set_rollback(True)

    assert heard == []
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PENDING


def test_a_listener_that_fails_fails_nothing_else(heard, django_capture_on_commit_callbacks, caplog):
    def broken(**kwargs):
        raise ZeroDivisionError

    order_changed.connect(broken)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            order = factories.order()
    finally:
        order_changed.disconnect(broken)

    assert ("order", order.pk) in heard
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_verb_that_stands_alone_has_committed_when_it_is_heard(at_once):
    seen = []

    def look(order_id, **kwargs):
        assert not connection.in_atomic_block
        seen.extend(at_once([lambda: Order.objects.get(pk=order_id).payment_status]))

    order_changed.connect(look)
    try:
        order = factories.order()
        order.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
    finally:
        order_changed.disconnect(look)
    assert seen == [PaymentStatus.PENDING, PaymentStatus.PAID]
