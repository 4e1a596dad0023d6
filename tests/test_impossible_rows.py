"""What the database itself refuses, whoever wants to write it: one row at least for each of its rules."""

import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from shop.models import (
    Dispute,
    DisputeStatus,
    Order,
    OrderChange,
    OrderEmail,
    OrderGrant,
    OrderLine,
    OrderLink,
    PaymentStatus,
    Product,
    ReconcilerTally,
    Refund,
    RefundStatus,
    RefusedDelivery,
    Source,
)
from shop.models.links import MOST_USES
from tests import factories

pytestmark = pytest.mark.django_db


def product(**fields):
    return Product(**{"slug": "bell", "name": "Bell", "unit_amount": 1} | fields)


def order(**fields):
    owner = {"guest_id": uuid.uuid4()}
    return Order(**owner | {"currency": "eur", "amount_total": 100, "checkout_expires_at": Now()} | fields)


def paid(**fields):
    return order(payment_status=PaymentStatus.PAID, paid_at=Now(), **fields)


def line(**fields):
    of = {"order": factories.order(), "product": factories.product(), "name": "Bell"}
    return OrderLine(**of | {"unit_amount": 1, "quantity": 1} | fields)


def change(**fields):
    return OrderChange(order=factories.order(), what="placed", source=Source.STAFF, **fields)


def refund(**fields):
    return Refund(**{"order": factories.paid_order(), "amount": 1} | fields)


def dispute(**fields):
    made = {"stripe_dispute_id": "du_1", "amount": 1, "currency": "eur", "status": DisputeStatus.WON}
    return Dispute(order=factories.paid_order(), **made | fields)


def link(**fields):
    return OrderLink(order=factories.order(), **{"expires_at": Now() + timedelta(days=1)} | fields)


def second(row, **shared):
    """One more of the kind that shares what no two may share."""
    row(**shared).save()
    return row(**shared)


def second_of_order(row, **shared):
    return second(row, order=factories.paid_order(), **shared)


REFUSED = [
    ("product_has_a_price", lambda: product(unit_amount=0)),
    ("product_has_a_price", lambda: product(unit_amount=-1)),
    ("product_held_not_negative", lambda: product(stock=1, held=-1)),
    ("product_held_within_stock", lambda: product(stock=1, held=2)),
    ("product_held_within_stock", lambda: product(stock=-1)),
    ("order_has_an_owner", lambda: order(guest_id=None)),
    ("order_costs_something", lambda: order(amount_total=0)),
    ("order_costs_something", lambda: order(amount_total=-1)),
    ("order_payment_status_known", lambda: order(payment_status="gone")),
    ("order_paid_has_a_time", lambda: order(payment_status=PaymentStatus.PAID)),
    ("order_fulfilment_status_known", lambda: paid(fulfilment_status="gone")),
    *[
        ("order_fulfilled_is_paid", partial(order, fulfilment_status=status))
        for status in ("preparing", "shipped", "delivered")
    ],
    ("order_refunded_within_paid", lambda: paid(refunded_amount=101)),
    ("order_refunded_within_paid", lambda: paid(refunded_amount=-1)),
    ("order_refunded_within_paid", lambda: order(refunded_amount=1)),
    ("stripe_session_id", lambda: second(order, stripe_session_id="cs_1")),
    ("one_order_per_payment_intent", lambda: second(order, payment_intent_id="pi_1")),
    ("one_open_order_per_cart_of_guest", lambda: second(order, cart="abc", guest_id=uuid.uuid4())),
    (
        "one_open_order_per_cart_of_user",
        lambda: second(order, cart="abc", user=factories.user(), guest_id=None),
    ),
    ("line_quantity_1_to_99", lambda: line(quantity=0)),
    ("line_quantity_1_to_99", lambda: line(quantity=100)),
    ("line_has_a_price", lambda: line(unit_amount=0)),
    ("line_not_restocked_twice", lambda: line(quantity=1, restocked=2)),
    ("one_line_per_product", lambda: second(line, order=factories.order(), product=factories.product())),
    ("one_change_per_version", lambda: change(version=1)),
    ("refund_is_of_something", lambda: refund(amount=0)),
    ("refund_is_of_something", lambda: refund(amount=-1)),
    ("refund_status_known", lambda: refund(status="gone", stripe_refund_id="re_1")),
    *[
        ("refund_is_made_at_stripe", partial(refund, status=status))
        for status in ("pending", "requires_action", "succeeded", "canceled")
    ],
    (
        "stripe_refund_id",
        lambda: second(refund, stripe_refund_id="re_1", status=RefundStatus.PENDING),
    ),
    ("one_refund_asked_for_at_a_time", lambda: second_of_order(refund)),
    ("dispute_amount_not_negative", lambda: dispute(amount=-1)),
    ("dispute_status_known", lambda: dispute(status="gone")),
    ("stripe_dispute_id", lambda: second(dispute)),
    ("one_email_per_change", lambda: second_of_order(OrderEmail, kind="refund", version=2)),
    ("link_not_overused", lambda: link(uses=MOST_USES + 1)),
    ("link_lives", lambda: link(expires_at=Now() - timedelta(days=1))),
    ("grant_is_for_somebody", lambda: OrderGrant(order=factories.order())),
    ("one_grant_per_guest", lambda: second_of_order(OrderGrant, guest_id=uuid.uuid4())),
    ("one_grant_per_user", lambda: second_of_order(OrderGrant, user=factories.user())),
    ("one_count_per_reason", lambda: second(RefusedDelivery, hour=timezone.now(), reason="Not signed.")),
    ("one_tally", lambda: ReconcilerTally(pk=2)),
]


@pytest.mark.parametrize(("rule", "row"), REFUSED, ids=[rule for rule, _row in REFUSED])
def test_the_database_refuses(rule, row):
    impossible = row()
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        impossible.save()


def test_every_rule_of_the_database_has_been_tried():
    models = apps.get_app_config("shop").get_models()
    rules = {constraint.name for model in models for constraint in model._meta.constraints}
    assert rules - {rule for rule, _row in REFUSED} == set()


def test_an_order_cannot_outlive_the_stock_that_it_holds():
    bell = factories.product(stock=2)
    factories.order(None, (bell, 2))

    with pytest.raises(IntegrityError, match="product_held_within_stock"), transaction.atomic():
        bell.revise(stock=1)
