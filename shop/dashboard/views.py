"""Staff's page of one order, and what they do there: a view loads, calls one verb, and answers."""

from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpResponse
from django.shortcuts import aget_object_or_404, get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from shop import checkout, refunds
from shop.dashboard.access import StaffRequest, requires
from shop.dashboard.answers import done, page, refused
from shop.dashboard.forms import RefundForm, RestockForm, ShipForm
from shop.models import NotRefundable, Order, OrderEmail, PaymentStatus, Refund, Source
from shop.money import formatted
from shop.rights import FULFIL_ORDER, REFUND_ORDER, VIEW_PAYMENTS


@require_safe
@never_cache
@requires(VIEW_PAYMENTS)
def order(request: StaffRequest, public_id: UUID) -> HttpResponse:
    return page(request, public_id)


# --- money ----------------------------------------------------------------------------------------


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, REFUND_ORDER)
async def refund(request: StaffRequest, public_id: UUID) -> HttpResponse:
    """Write the wish down, then ask Stripe; if Stripe is silent, the reconciler asks again."""
    wish = await sync_to_async(_wish)(request, public_id)
    if isinstance(wish, RefundForm):
        return await sync_to_async(refused)(request, wish)
    order, amount = wish.order, formatted(wish.amount, wish.order.currency)
    words, level = f"{amount} goes back to the customer.", "success"
    try:
        if not await refunds.send(wish):
            await wish.arefresh_from_db(fields=["failure_reason"])
            words, level = f"Stripe refuses to refund {amount}: {wish.failure_reason}", "warning"
    except refunds.StripeSilent:
        words = f"{amount} is requested. Stripe has not answered yet, and is asked again by itself."
        level = "warning"
    return await sync_to_async(done)(request, order, words, level=level, form=RefundForm)


def _wish(request: StaffRequest, public_id: UUID) -> Refund | RefundForm:
    with Order.objects.locking(public_id) as order:
        if order is None:
            raise Http404
        form = RefundForm(order, request.POST)
        if not form.is_valid():
            return form
        try:
            return Refund.objects.request(order, **form.cleaned_data, who_id=request.user.pk)
        except NotRefundable as why:
            form.add_error(None, str(why))
            return form


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, REFUND_ORDER)
async def cancel(request: StaffRequest, public_id: UUID) -> HttpResponse:
    order = await aget_object_or_404(Order, public_id=public_id)
    try:
        await checkout.cancel(order, source=Source.STAFF, who_id=request.user.pk)
    except checkout.StripeUnavailable:
        words = "Stripe has not answered yet. As soon as it does, the order is cancelled by itself."
        return await sync_to_async(done)(request, order, words, level="warning")
    if order.payment_status == PaymentStatus.CANCELLED:
        return await sync_to_async(done)(request, order, "The order is cancelled.")
    words = f"Not cancelled: “{order.get_payment_status_display()}”."
    return await sync_to_async(done)(request, order, words, level="warning")


# --- goods ----------------------------------------------------------------------------------------


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, FULFIL_ORDER)
def prepare(request: StaffRequest, public_id: UUID) -> HttpResponse:
    order = get_object_or_404(Order, public_id=public_id)
    return _moved(request, order, order.fulfilment.prepare(who_id=request.user.pk))


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, FULFIL_ORDER)
def ship(request: StaffRequest, public_id: UUID) -> HttpResponse:
    order = get_object_or_404(Order, public_id=public_id)
    form = ShipForm(order, request.POST)
    if not form.is_valid():
        return refused(request, form)
    return _moved(
        request, order, order.fulfilment.ship(**form.cleaned_data, who_id=request.user.pk), ShipForm
    )


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, FULFIL_ORDER)
def deliver(request: StaffRequest, public_id: UUID) -> HttpResponse:
    order = get_object_or_404(Order, public_id=public_id)
    return _moved(request, order, order.fulfilment.deliver(who_id=request.user.pk))


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, FULFIL_ORDER)
def withhold(request: StaffRequest, public_id: UUID) -> HttpResponse:
    order = get_object_or_404(Order, public_id=public_id)
    return _moved(request, order, order.fulfilment.cancel(who_id=request.user.pk))


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, FULFIL_ORDER)
def undo(request: StaffRequest, public_id: UUID) -> HttpResponse:
    """Back by one step from the one that the button names, so that two who press it undo one."""
    order = get_object_or_404(Order, public_id=public_id)
    step = request.POST.get("step", "")
    return _moved(request, order, order.fulfilment.undo(step=step, who_id=request.user.pk))


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, FULFIL_ORDER)
def restock(request: StaffRequest, public_id: UUID) -> HttpResponse:
    with Order.objects.locking(public_id) as order:
        if order is None:
            raise Http404
        form = RestockForm(order, request.POST)
        if form.is_valid():
            order.fulfilment.restock(form.units, who_id=request.user.pk)
    if form.errors:
        return refused(request, form)
    return done(request, order, f"Back in stock: {sum(form.units.values())}.", form=RestockForm)


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, FULFIL_ORDER)
def resolve(request: StaffRequest, public_id: UUID) -> HttpResponse:
    order = get_object_or_404(Order, public_id=public_id)
    if order.resolve(who_id=request.user.pk, seen=request.POST.get("seen", "")):
        return done(request, order, "Nothing is left to look at.")
    if order.needs_attention:
        return done(request, order, "Something else has come up: look at that, too.", level="warning")
    return done(request, order, "Somebody was faster: nothing was left to look at.", level="warning")


@require_POST
@never_cache
@requires(VIEW_PAYMENTS, FULFIL_ORDER)
def resend(request: StaffRequest, public_id: UUID) -> HttpResponse:
    order = get_object_or_404(Order, public_id=public_id)
    if OrderEmail.objects.resend(order, who_id=request.user.pk):
        return done(request, order, "The confirmation is sent again, with a fresh link.")
    if order.payment_status != PaymentStatus.PAID or not order.email:
        return done(request, order, "Not sent: it goes out for paid orders with an address.", level="warning")
    return done(request, order, "Not again: the last one is not a minute old.", level="warning")


def _moved(
    request: StaffRequest, order: Order, changed: bool, form: type[ShipForm] | None = None
) -> HttpResponse:
    now = f"“{order.get_fulfilment_status_display()}”"
    if changed:
        return done(request, order, f"Now: {now}.", form=form)
    why = "paused, a dispute is open" if order.disputed else f"it is {now}"
    return done(request, order, f"Nothing changed: {why}.", level="warning", form=form)
