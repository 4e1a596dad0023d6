"""From a chosen cart to Stripe's payment page: one open order per cart, one live session per order."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence

import stripe
from asgiref.sync import sync_to_async
from django.db import IntegrityError, connection
from django.urls import reverse
from stripe import RequestOptions
from stripe.checkout import Session, SessionService
from stripe.params.checkout import SessionCreateParams, SessionCreateParamsLineItem

from shop.forms import cart_query
from shop.models import Order, PaymentStatus, Product, SoldOut, Source
from shop.sessions import SessionFacts, apply_session
from shop.shoppers import Shopper
from shop.stripe_client import TIME_LIMIT, stripe_client

log = logging.getLogger(__name__)

LETTING_GO = 2
"""Seconds that Stripe may take to end a session which only stands in the way of a new one."""
LONGEST_NAME = 250
"""Characters of a product's name that Stripe takes."""

Cart = Sequence[tuple[Product, int]]
"""What was chosen: products and units, 1 to 99, at least one line, one currency."""


class StripeUnavailable(Exception):
    """Stripe did not answer in time, or not well. The order stands; trying again is safe."""

    def __init__(self, order: Order) -> None:
        super().__init__(f"No Checkout Session for order {order.public_id}")
        self.order = order


async def buy(shopper: Shopper, cart: Cart, site: str) -> str:
    """The address to go to now: Stripe's page for this cart, or the order's page if it is paid already.

    `site` is the origin that the shopper comes back to. Raises SoldOut and StripeUnavailable.
    """
    order = await _order(shopper, cart)
    address = await payment_page(order, site)
    if address is None and order.payment_status == PaymentStatus.EXPIRED:
        order = await _order(shopper, cart)
        address = await payment_page(order, site)
    return address or order.get_absolute_url()


# --- the order: sync, transactions ----------------------------------------------------------------


def order_for(shopper: Shopper, cart: Cart) -> Order:
    """The shopper's open order for exactly this cart, placed now if there is none yet. Raises SoldOut.

    Two clicks at once: the second waits for the first one's stock or unique key, fails, and finds the
    first one's order.
    """
    fingerprint = _fingerprint(cart)
    twins = Order.objects.of(shopper).open_cart(fingerprint)
    if twin := twins.first():
        return twin
    try:
        return Order.place(shopper, fingerprint, cart)
    except (SoldOut, IntegrityError):
        if twin := twins.first():
            return twin
        raise


def _fingerprint(cart: Cart) -> str:
    lines = sorted(
        (product.pk, quantity, product.unit_amount, product.currency) for product, quantity in cart
    )
    return hashlib.sha256(repr(lines).encode()).hexdigest()


async def _order(shopper: Shopper, cart: Cart) -> Order:
    """The order for a cart, if need be with units that the shopper's own other open orders hold."""
    try:
        return await sync_to_async(order_for)(shopper, cart)
    except SoldOut as sold_out:
        rivals = await sync_to_async(_open_orders_holding)(shopper, sold_out.product)
        if not rivals:
            raise
        try:
            await asyncio.gather(*(let_go(rival) for rival in rivals))
        except StripeUnavailable:
            raise sold_out from None  # so they still are
        return await sync_to_async(order_for)(shopper, cart)


def _open_orders_holding(shopper: Shopper, product: Product) -> list[Order]:
    orders = Order.objects.of(shopper).filter(payment_status=PaymentStatus.PENDING, lines__product=product)
    return list(orders)


# --- the session: async, no thread waits for Stripe -----------------------------------------------


async def payment_page(order: Order, site: str) -> str | None:
    """Where the order can be paid; None if by Stripe's word it no longer can, and then it says so itself.

    `site` is the origin that the shopper comes back to.
    Raises StripeUnavailable after TIME_LIMIT seconds at most, whatever Stripe does.
    """
    try:
        async with asyncio.timeout(TIME_LIMIT):
            session = await _session(order, site)
    except (stripe.StripeError, TimeoutError) as error:
        log.warning("Stripe has no session for order %s: %s", order.public_id, type(error).__name__)
        raise StripeUnavailable(order) from error
    if session.status == "open" and session.url:
        return session.url
    await _learn(order, session, Source.SHOPPER)
    return None


async def ask(order: Order) -> None:
    """Ask Stripe how the order's session stands and let the order follow. Raises StripeUnavailable."""
    if order.stripe_session_id is None:
        return
    try:
        async with asyncio.timeout(TIME_LIMIT):
            session = await _retrieve(order.stripe_session_id)
    except (stripe.StripeError, TimeoutError) as error:
        raise StripeUnavailable(order) from error
    await _learn(order, session, Source.RETURN_PAGE)


async def let_go(order: Order) -> None:
    """End an unpaid order's session at Stripe, and only then the order: a payment that was faster wins.

    An order without a session ends at once: whatever Stripe may have made of an attempt that failed,
    nobody has its address. Raises StripeUnavailable.
    """
    session_id = order.stripe_session_id
    if session_id is None:
        await sync_to_async(order.expire)(source=Source.SHOPPER)
        return
    try:
        async with asyncio.timeout(LETTING_GO):
            try:
                session = await _from_stripe(lambda sessions: sessions.expire_async(session_id))
            except stripe.InvalidRequestError:  # it is no longer open
                session = await _retrieve(session_id)
    except (stripe.StripeError, TimeoutError) as error:
        raise StripeUnavailable(order) from error
    await _learn(order, session, Source.SHOPPER)


async def _learn(order: Order, session: Session, source: Source) -> None:
    await sync_to_async(apply_session)(SessionFacts.read(session.to_dict()), source)
    await order.arefresh_from_db()


async def _session(order: Order, site: str) -> Session:
    if order.stripe_session_id:
        return await _retrieve(order.stripe_session_id)
    try:
        session = await _create(order, site)
    except (stripe.InvalidRequestError, stripe.IdempotencyError):
        # An earlier attempt whose answer we never saw, too old by now to be repeated word for word.
        await sync_to_async(order.next_attempt)()
        session = await _create(order, site)
    await sync_to_async(order.attach_session)(session.id)
    return session


async def _create(order: Order, site: str) -> Session:
    params = await sync_to_async(_session_params)(order, site)
    options: RequestOptions = {"idempotency_key": f"order-{order.public_id}-{order.checkout_attempt}"}
    while True:
        try:
            return await _from_stripe(lambda sessions: sessions.create_async(params, options))
        except stripe.StripeError as error:
            if error.http_status == 409:  # the shopper's other click is being answered: wait for its session
                await asyncio.sleep(0.3)
                continue
            # Stripe repeats a stored 500 for as long as it keeps the key: ask under a new one next time.
            # Whatever that 500 left behind, nobody has its address, so nobody can pay there. Without an
            # answer we keep the key: the session may exist, and repeating the key gets that very one.
            if error.http_status and error.http_status >= 500:
                await sync_to_async(order.next_attempt)()
            raise


async def _retrieve(session_id: str) -> Session:
    return await _from_stripe(lambda sessions: sessions.retrieve_async(session_id))


async def _from_stripe(call: Callable[[SessionService], Awaitable[Session]]) -> Session:
    # Nobody waits for Stripe with a database connection in hand: a slow Stripe would empty the pool, and
    # the whole shop, webhooks included, would stand still.
    await sync_to_async(_put_connection_back)()
    return await call(stripe_client().v1.checkout.sessions)


def _put_connection_back() -> None:
    if not connection.in_atomic_block:  # a caller's transaction is not ours to end
        connection.close()


def _session_params(order: Order, site: str) -> SessionCreateParams:
    return {
        "mode": "payment",
        "client_reference_id": str(order.public_id),
        "metadata": {"public_id": str(order.public_id)},
        "payment_intent_data": {"metadata": {"public_id": str(order.public_id)}},
        "line_items": [
            _line_item(line.name, line.unit_amount, line.quantity, order.currency) for line in order.goods
        ],
        "success_url": f"{site}{order.get_absolute_url()}?from=stripe",
        "cancel_url": f"{site}{reverse('shop')}?{cart_query(order)}",
        "expires_at": int(order.checkout_expires_at.timestamp()),
    }


def _line_item(name: str, unit_amount: int, quantity: int, currency: str) -> SessionCreateParamsLineItem:
    return {
        "quantity": quantity,
        "price_data": {
            "currency": currency,
            "unit_amount": unit_amount,
            "product_data": {"name": name[:LONGEST_NAME]},
        },
    }
