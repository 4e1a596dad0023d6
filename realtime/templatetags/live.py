"""The subscription stands in the template, beside what it updates. `as_of` in the context is a Moment."""

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from realtime.panels import render_panel
from realtime.tickets import Ticket
from realtime.topics import CATALOG, PAYMENTS, WEBHOOKS, filtered, order_topic, payment_topic, shopper_topic
from shop.models import Order
from shop.rights import VIEW_PAYMENTS
from shop.shoppers import shopper_of

register = template.Library()


@register.simple_tag(takes_context=True)
def shop_socket(context: Context, *, catalog: bool = True) -> str:
    """Address of the socket for the shopper's orders and the catalog. Wants `as_of` in the context."""
    topics = [shopper_topic(shopper_of(context["request"])), *([CATALOG] if catalog else [])]
    return _address(context, "/ws/shop/", topics)


@register.simple_tag(takes_context=True)
def order_socket(context: Context, order: Order) -> str:
    """Address of the socket for one order's page. Wants `as_of` in the context."""
    return _address(context, f"/ws/orders/{order.public_id}/", [order_topic(order.public_id)])


@register.simple_tag(takes_context=True)
def payment_socket(context: Context, order: Order) -> str:
    """Address of the socket for staff's page of an order. Wants `as_of` in the context."""
    path = f"/ws/dashboard/orders/{order.public_id}/"
    return _address(context, path, [payment_topic(order.public_id)], VIEW_PAYMENTS)


@register.simple_tag(takes_context=True)
def payments_socket(context: Context, query: str) -> str:
    """Address of the socket for staff's list of payments with this filter. Wants `as_of` in the context."""
    return _address(context, "/ws/dashboard/", [filtered(PAYMENTS, query)], VIEW_PAYMENTS)


@register.simple_tag(takes_context=True)
def webhooks_socket(context: Context, query: str = "") -> str:
    """Address of the socket for Stripe's deliveries with this filter. Wants `as_of` in the context."""
    return _address(context, "/ws/dashboard/webhooks/", [filtered(WEBHOOKS, query)], VIEW_PAYMENTS)


@register.simple_tag(takes_context=True)
def panel(context: Context, name: str, of: str = "") -> SafeString:
    """A panel as it is now, and as it is pushed later. Wants `as_of` in the context, from before.

    `of` is the page's filter, or the id of its order, where the panel depends on it.
    """
    return render_panel(name, of, context["as_of"].now.timestamp())


def _address(context: Context, path: str, topics: list[str], right: str = "") -> str:
    return f"{path}?ticket={Ticket.issue(context['request'], path, topics, context['as_of'].settled, right)}"
