"""Buying, and paying for what was ordered. Async, because a thread must not wait for Stripe."""

from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import aget_object_or_404, render
from django.utils.translation import get_language_from_request
from django.views.decorators.http import require_POST

from shop.buying import buy
from shop.checkout import StripeUnavailable, ask, payment_page
from shop.checkout import cancel as call_off
from shop.forms import CartForm
from shop.limits import TooOften, count_checkout, take
from shop.models import Order, PaymentStatus, SoldOut, Source
from shop.models.clock import Moment, database_moment
from shop.shoppers import Shopper, ShopRequest, shopper_of
from shop.site import site_of
from shop.views.errors import retry_after, too_often_page
from shop.views.shop import cart_form, shop_page

OPENED_OFTEN = "Payment pages were opened very often of late, by you or from your network."


class SeeOther(HttpResponseRedirect):
    status_code = 303


@require_POST
async def checkout(request: ShopRequest) -> HttpResponse:
    """Order the cart and go to Stripe's page for it; 422 with the page for a cart that cannot be bought."""
    as_of, shopper, form = await sync_to_async(_what_was_sent)(request)
    if form.unknown:
        raise Http404("Not, or no longer, on sale.")
    if form.is_valid():
        try:
            await sync_to_async(count_checkout)(request, shopper)
            language = get_language_from_request(request)
            return SeeOther(await buy(shopper, form.cart, site_of(request), language=language))
        except SoldOut as sold_out:
            form.add_sold_out(sold_out.product)
        except StripeUnavailable as unavailable:
            return await _unavailable(request, unavailable.order)
        except TooOften as too_often:
            form.add_error(None, f"{OPENED_OFTEN} Your cart is kept: try again in {_minutes(too_often)}.")
            page = await sync_to_async(shop_page)(request, form, as_of, status=429)
            return retry_after(page, too_often)
    return await sync_to_async(shop_page)(request, form, as_of, status=422)


@require_POST
async def pay(request: ShopRequest, public_id: UUID) -> HttpResponse:
    """Go (back) to Stripe's page for an order that is still to be paid."""
    order = await _own_order(request, public_id)
    try:
        if order.is_open:
            await sync_to_async(_count)(request)
        address = await payment_page(order, site_of(request)) if order.is_open else None
    except StripeUnavailable:
        return await _unavailable(request, order)
    except TooOften as too_often:
        return await sync_to_async(too_often_page)(request, too_often, OPENED_OFTEN, order)
    return SeeOther(address or order.get_absolute_url())


@require_POST
async def check(request: ShopRequest, public_id: UUID) -> HttpResponse:
    """Back from Stripe before the webhook: ask how it stands. If there is news, it comes as a push."""
    shopper = await sync_to_async(shopper_of)(request)
    order = await aget_object_or_404(Order.objects.visible_to(shopper), public_id=public_id)
    if order.is_open:
        try:
            await sync_to_async(take)(check=shopper.key)
            await ask(order, source=Source.RETURN_PAGE)
        except StripeUnavailable:
            return HttpResponse(status=503)
        except TooOften as too_often:  # the webhook and the reconciler tell it, too
            return retry_after(HttpResponse(status=429), too_often)
    return HttpResponse(status=204)


@require_POST
async def cancel(request: ShopRequest, public_id: UUID) -> HttpResponse:
    """The shopper does not want it any more; if the payment was faster, she gets what she paid for."""
    order = await _own_order(request, public_id)
    try:
        await call_off(order, source=Source.SHOPPER)
    except StripeUnavailable:
        return await _unavailable(request, order, cancelling=True)
    if order.payment_status == PaymentStatus.PAID:
        messages.info(request, "Your payment was faster: the order is paid, and was not cancelled.")
    elif order.payment_status == PaymentStatus.PROCESSING:
        messages.info(request, "Your payment is on its way already: the order was not cancelled.")
    return SeeOther(order.get_absolute_url())


async def _own_order(request: ShopRequest, public_id: UUID) -> Order:
    shopper = await sync_to_async(shopper_of)(request)
    return await aget_object_or_404(Order.objects.of(shopper), public_id=public_id)


def _what_was_sent(request: ShopRequest) -> tuple[Moment, Shopper, CartForm]:
    return database_moment(), shopper_of(request), cart_form(request.POST)


def _count(request: ShopRequest) -> None:
    count_checkout(request, shopper_of(request))


def _minutes(too_often: TooOften) -> str:
    return "1 minute" if too_often.minutes == 1 else f"{too_often.minutes} minutes"


async def _unavailable(request: ShopRequest, order: Order, *, cancelling: bool = False) -> HttpResponse:
    context = {"order": order, "cancelling": cancelling}
    response = await sync_to_async(render)(request, "shop/stripe_unavailable.html", context, status=503)
    response["Retry-After"] = "30"
    return response
