"""What a test of the reconciler starts from and looks at: orders at the local Stripe, some time later."""

from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.db.models import F
from django.test import Client

from shop.models import Order, OrderChange, PaymentStatus, Product
from shop.reconcile import Reconciler, Summary
from tests.buying import buy, session_of
from tests.local_stripe import LocalStripe


def bought(client: Client, bell: Product) -> Order:
    """An order with a session at Stripe, still to be paid."""
    buy(client, (bell, 2))
    return Order.objects.latest("pk")


def paid_at_stripe(stripe: LocalStripe, order: Order, **fields: Any) -> Order:
    """The order, paid, of which the shop has not heard; `fields` are what is typed besides."""
    stripe.pay(session_of(stripe, order), **fields)
    return order


def age(order: Order, **by: float) -> None:
    """Let it be placed earlier, by so many `minutes` or `hours`."""
    Order.objects.filter(pk=order.pk).update(placed_at=F("placed_at") - timedelta(**by))


def run(**how: Any) -> Summary:
    return async_to_sync(Reconciler(**how).run)()


def state(order: Order) -> tuple[PaymentStatus, int]:
    """Payment status and version, as the database has them."""
    order.refresh_from_db()
    return PaymentStatus(order.payment_status), order.version


def last_change(order: Order) -> OrderChange:
    return OrderChange.objects.filter(order=order).latest("version")
