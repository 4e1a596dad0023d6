"""From a chosen cart to its order: one open order per cart of a shopper, its stock held."""

import asyncio
import hashlib
from collections.abc import Sequence

from asgiref.sync import sync_to_async
from django.db import IntegrityError
from django.db.models import Sum

from shop.checkout import StripeUnavailable, deadline, end_abandoned, let_go, payment_page
from shop.models import Order, OrderLine, PaymentStatus, Product, SoldOut, Source
from shop.shoppers import Shopper

Cart = Sequence[tuple[Product, int]]
"""What was chosen: products and units, 1 to 99, at least one line, one currency."""


async def buy(shopper: Shopper, cart: Cart, site: str, *, language: str = "") -> str:
    """The address to go to now: Stripe's page for this cart, or the order's page if it is paid already.

    `site` is the origin that the shopper comes back to, `language` that of the order's e-mails, as in
    settings.LANGUAGES; the shop's by default. Raises SoldOut and StripeUnavailable.
    """
    order, page = await order_and_page(shopper, cart, site, language=language)
    return page or order.get_absolute_url()


async def order_and_page(
    shopper: Shopper, cart: Cart, site: str, *, language: str = ""
) -> tuple[Order, str | None]:
    """The order for this cart and Stripe's page for it; None if it is paid already. Raises as `buy` does."""
    order = await _order(shopper, cart, language)
    until = deadline()
    page = await payment_page(order, site, until=until)
    if page is None and order.payment_status in (PaymentStatus.EXPIRED, PaymentStatus.CANCELLED):
        order = await _order(shopper, cart, language)
        page = await payment_page(order, site, until=until)
    return order, page


def order_for(shopper: Shopper, cart: Cart, language: str = "") -> Order:
    """The shopper's open order for exactly this cart, placed now if there is none yet. Raises SoldOut.

    Two clicks at once: the second waits for the first one's stock or unique key, fails, and finds the
    first one's order.
    """
    fingerprint = _fingerprint(cart)
    twins = Order.objects.of(shopper).open_cart(fingerprint)
    if twin := twins.first():
        return twin
    try:
        return Order.place(shopper, fingerprint, cart, language)
    except (SoldOut, IntegrityError):
        if twin := twins.first():
            return twin
        raise


def _fingerprint(cart: Cart) -> str:
    lines = sorted(
        (product.pk, quantity, product.unit_amount, product.currency) for product, quantity in cart
    )
    return hashlib.sha256(repr(lines).encode()).hexdigest()


async def _order(shopper: Shopper, cart: Cart, language: str) -> Order:
    """The order for a cart, if need be with units that only she herself, or nobody any more, holds."""
    for _product in cart:  # each of them may be in her way once
        try:
            return await sync_to_async(order_for)(shopper, cart, language)
        except SoldOut as sold_out:
            await _make_room(shopper, dict(cart)[sold_out.product], sold_out)
    return await sync_to_async(order_for)(shopper, cart, language)


async def _make_room(shopper: Shopper, wanted: int, sold_out: SoldOut) -> None:
    """End the orders that stand in the way, if that is enough; otherwise raises what it was given."""
    product = sold_out.product
    own, abandoned, units = await sync_to_async(_in_the_way)(shopper, product)
    if not product.active or (product.available or 0) + units < wanted:
        raise sold_out
    ends = await asyncio.gather(
        *(let_go(order) for order in own),
        *(sync_to_async(end_abandoned)(order, Source.SHOPPER) for order in abandoned),
        return_exceptions=True,
    )
    for end in ends:
        if isinstance(end, StripeUnavailable):
            raise sold_out from None  # so they still are in the way
        if isinstance(end, BaseException):
            raise end


def _in_the_way(shopper: Shopper, product: Product) -> tuple[list[Order], list[Order], int]:
    """The shopper's own unpaid orders with this product; other people's that never got as far as Stripe and
    whose time is over, so that no event will end them; and how many units all of them hold.
    """
    orders = Order.objects.filter(payment_status=PaymentStatus.PENDING, lines__product=product)
    own = list(orders.of(shopper))
    abandoned = list(orders.abandoned().exclude(pk__in=[order.pk for order in own]))
    lines = OrderLine.objects.filter(order__in=[*own, *abandoned], product=product)
    return own, abandoned, lines.aggregate(units=Sum("quantity"))["units"] or 0
