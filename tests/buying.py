"""What a test's shopper buys at the local Stripe: up to the payment page, and what Stripe has of it."""

from typing import Any

from django.test import Client

from shop.models import Order, Product
from tests.local_stripe import LocalStripe


def buy(client: Client, *cart: tuple[Product, int], **fields: Any) -> Any:
    """The answer to the form of the shop page, sent with these quantities and whatever else it has."""
    quantities = {f"quantity-{product.slug}": quantity for product, quantity in cart}
    return client.post("/checkout/", quantities | fields)


def session_of(stripe: LocalStripe, order: Order) -> Any:
    """Its Checkout Session, as Stripe has it now."""
    assert order.stripe_session_id is not None
    return stripe.client().v1.checkout.sessions.retrieve(order.stripe_session_id)


def sessions_of(stripe: LocalStripe, order: Order) -> list[str]:
    """The ids of all sessions that Stripe ever made for the order."""
    sessions = stripe.client().v1.checkout.sessions.list({"limit": 100})
    return [session.id for session in sessions.data if session.client_reference_id == str(order.public_id)]
