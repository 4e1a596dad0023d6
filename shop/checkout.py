"""An order's Checkout Session: one that can be paid, and no second one.

Async, because no thread must wait for Stripe, and none holds a database connection while it does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import stripe
from asgiref.sync import sync_to_async
from django.urls import reverse
from stripe import RequestOptions
from stripe.checkout import Session, SessionService
from stripe.params.checkout import (
    SessionCreateParams,
    SessionCreateParamsLineItem,
    SessionRetrieveParams,
)

from shop import tracing
from shop.forms import cart_query
from shop.models import Order, Source
from shop.sessions import SessionFacts, apply_session
from shop.stripe_client import TIME_LIMIT, from_stripe

log = logging.getLogger(__name__)

LETTING_GO = 2
"""Seconds that Stripe may take to end a session which only stands in the way of a new one."""
LONGEST_NAME = 250
"""Characters of a product's name that Stripe takes."""


class StripeUnavailable(Exception):
    """Stripe did not answer in time, or not well. The order stands; trying again is safe."""

    def __init__(self, order: Order) -> None:
        super().__init__(f"No Checkout Session for order {order.public_id}")
        self.order = order


def deadline() -> float:
    """When waiting for Stripe that starts now has to end, by the running event loop's clock."""
    return asyncio.get_running_loop().time() + TIME_LIMIT


async def payment_page(order: Order, site: str, *, until: float | None = None) -> str | None:
    """Where the order can be paid; None if by Stripe's word it no longer can, and then it says so itself.

    `site` is the origin that the shopper comes back to. `until`, by the event loop's clock, is when waiting
    for Stripe ends: after TIME_LIMIT seconds by default. Raises StripeUnavailable.
    """
    tracing.bind(order=order.public_id)
    if order.cancelling:
        await sync_to_async(order.checkout.keep)()
    if order.cancelling:  # staff want it ended: what Stripe did not hear then, it may now
        await let_go(order)
        return None
    try:
        async with asyncio.timeout_at(until or deadline()):
            session = await _session(order, site)
    except (stripe.StripeError, TimeoutError) as error:
        log.warning("Stripe has no session for order %s: %s", order.public_id, _told(error))
        raise StripeUnavailable(order) from error
    if session.status == "open" and session.url:
        return session.url
    await _learn(order, session, Source.SHOPPER)
    return None


async def ask(order: Order, *, source: Source) -> None:
    """Ask Stripe how the order's session stands and let the order follow. Raises StripeUnavailable."""
    if order.stripe_session_id is None:
        return
    try:
        session = await retrieve(order.stripe_session_id)
    except (stripe.StripeError, TimeoutError) as error:
        raise StripeUnavailable(order) from error
    await _learn(order, session, source)


async def let_go(order: Order) -> None:
    """End an unpaid order's session at Stripe, and only then the order: a payment that was faster wins.

    An order without a session ends at once; if one is just being made for it, whoever makes it finds the
    order closed and ends the session (`_attach`). Raises StripeUnavailable.
    """
    if await sync_to_async(_ended_without_session)(order):
        return
    session_id = order.stripe_session_id or ""
    try:
        async with asyncio.timeout(LETTING_GO):
            session = await end(session_id)
    except (stripe.StripeError, TimeoutError) as error:
        if not is_unknown(error):
            raise StripeUnavailable(order) from error
        await sync_to_async(forsake)(order, session_id, Source.SHOPPER)
        return
    await _learn(order, session, Source.SHOPPER)


async def cancel(order: Order, *, source: Source, who_id: int | None = None) -> None:
    """End an unpaid order because somebody wants that; a payment that was faster wins.

    Raises StripeUnavailable: then it is ended as soon as Stripe answers the reconciler.
    """
    if not await sync_to_async(order.checkout.ask_to_cancel)(source=source, who_id=who_id):
        return
    await let_go(order)
    if order.is_open and source == Source.STAFF:
        # It was paid with another amount than its own, and nobody can pay it any more: staff have decided.
        await sync_to_async(order.expire)(source=source)


def end_abandoned(order: Order, source: Source) -> bool:
    """End an order that never got a session in its time, unless it has just got one, or more time."""
    with order.locked():
        return Order.objects.abandoned().filter(pk=order.pk).exists() and order.expire(source=source)


def forsake(order: Order, session_id: str, source: Source) -> bool:
    """Stripe does not know the order's session, of another account or test data perhaps: nobody can pay it.

    If a bank's debit is on its way for it, staff have to look. If it has got another session, that counts.
    """
    log.error("Stripe does not know session %s of order %s", session_id, order.public_id)
    with order.locked():
        if order.stripe_session_id != session_id:
            return False
        return order.expire(source=source) or order.flag("Stripe does not know its session.", source=source)


def _ended_without_session(order: Order) -> bool:
    with order.locked():
        if order.stripe_session_id is not None:
            return False
        order.expire(source=Source.SHOPPER)
        return True


async def end(session_id: str) -> Session:
    try:
        return await _from_stripe(lambda sessions: sessions.expire_async(session_id))
    except stripe.InvalidRequestError:  # it is no longer open
        return await retrieve(session_id)


async def _learn(order: Order, session: Session, source: Source) -> None:
    await sync_to_async(apply_session)(SessionFacts.read(session.to_dict()), source)
    await order.arefresh_from_db()


async def _session(order: Order, site: str) -> Session:
    if order.stripe_session_id:
        try:
            return await retrieve(order.stripe_session_id)
        except stripe.InvalidRequestError as error:
            if not is_unknown(error):
                raise
            # Made under another key or account than today's. If that one is still in use somewhere, a payment
            # there is not refused: the second one of an order is held for staff.
            log.error("Stripe does not know session %s of order %s", order.stripe_session_id, order.public_id)
            await sync_to_async(order.checkout.forget_session)(order.stripe_session_id)
    try:
        session = await _create(order, site)
    except (stripe.InvalidRequestError, stripe.IdempotencyError):
        # An earlier attempt whose answer we never saw, too old by now to be repeated word for word.
        await sync_to_async(order.checkout.next_attempt)()
        session = await _create(order, site)
    return await _attach(order, session)


async def _attach(order: Order, session: Session) -> Session:
    """The one session of the order: this one, unless meanwhile it got another or came to its end.

    Then this one is ended before anybody learns its address: two that can be paid would be one too many.
    """
    if await sync_to_async(order.checkout.attach_session)(session.id):
        return session
    surplus = await end(session.id)
    return await retrieve(order.stripe_session_id) if order.stripe_session_id else surplus


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
                await sync_to_async(order.checkout.next_attempt)()
            raise


def is_unknown(error: Exception) -> bool:
    return isinstance(error, stripe.InvalidRequestError) and error.code == "resource_missing"


def _told(error: Exception) -> str:
    """What Stripe's support would ask for; nothing that was in the request."""
    if not isinstance(error, stripe.StripeError):
        return type(error).__name__
    return f"{type(error).__name__} {error.http_status} {error.code} {error.request_id}"


async def retrieve(session_id: str) -> Session:
    # With its PaymentIntent, which alone says that a bank's debit has failed.
    params: SessionRetrieveParams = {"expand": ["payment_intent"]}
    return await _from_stripe(lambda sessions: sessions.retrieve_async(session_id, params))


async def _from_stripe(call: Callable[[SessionService], Awaitable[Session]]) -> Session:
    return await from_stripe(lambda client: call(client.v1.checkout.sessions))


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
        "cancel_url": f"{site}{reverse('shop')}?{cart_query(order)}&cancelled=1",
        # It would let the webhook's amount differ from the order's.
        "adaptive_pricing": {"enabled": False},
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
