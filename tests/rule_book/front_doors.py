"""What the shop is asked to do, in a way that threads can ask, too."""

from django.test import Client

from shop.models import NotRefundable, Order, Refund
from tests import stripe_events
from tests.rule_book.bank import Json


def post(event: Json) -> int:
    """Deliver it as Stripe does; returns the status."""
    body, headers = stripe_events.signed(event)
    client = Client(raise_request_exception=False)
    return client.post("/stripe-webhook/", body, content_type="application/json", headers=headers).status_code


def request_refund(order_pk: int, amount: int) -> bool:
    """Whether staff may have that much back, as far as we know."""
    order = Order.objects.get(pk=order_pk)
    try:
        Refund.objects.request(order, amount, reason="duplicate", note="", who_id=None)
    except NotRefundable:
        return False
    return True


def take_step(order_pk: int, step: str, at: str) -> bool:
    """Whether the goods went a step on, or with `undo` back from `at`. Nothing is sent that must wait."""
    order = Order.objects.get(pk=order_pk)
    more: Json = {"ship": {"carrier": "Post", "tracking_url": ""}, "undo": {"step": at}}
    took: bool = getattr(order.fulfilment, step)(who_id=None, **more.get(step, {}))
    if took and step in ("prepare", "ship"):
        assert order.refunded_amount < order.amount_total
        assert not order.disputed
    return took
