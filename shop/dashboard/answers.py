"""How the dashboard answers: its page, or on the spot what came of a button that was pressed."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from shop.dashboard.access import StaffRequest, may
from shop.dashboard.forms import OrderForm, RefundForm, RestockForm, ShipForm
from shop.models import Order
from shop.models.clock import database_moment
from shop.models.order_queries import with_details

LEVELS = {"success": messages.SUCCESS, "warning": messages.WARNING}


def page(
    request: StaffRequest, public_id: UUID, typed: OrderForm | None = None, *, status: int = 200
) -> HttpResponse:
    """The order's page; with `typed` one of its forms is as it was sent."""
    as_of = database_moment()
    order = get_object_or_404(Order, public_id=public_id)
    with_details([order])
    forms: list[OrderForm] = [RefundForm(order), ShipForm(order), RestockForm(order)]
    context = {
        "as_of": as_of,
        "order": order,
        "forms": {form.action: form for form in forms} | ({typed.action: typed} if typed else {}),
        "may": (viewer_may := may(request)),
        "may_refund": "refund" in viewer_may,
        "may_fulfil": "fulfil" in viewer_may,
    }
    beside_the_list = request.htmx and request.htmx.target == "aside#detail"
    template = "dashboard/_detail.html" if beside_the_list else "dashboard/order.html"
    return render(request, template, context, status=status)


def refused(request: StaffRequest, form: OrderForm) -> HttpResponse:
    """What was typed does not do: the form says why, and keeps it."""
    if request.htmx:
        return render(request, "dashboard/_form.html", {"form": form, "order": form.order}, status=422)
    return page(request, form.order.public_id, form, status=422)


def done(
    request: StaffRequest,
    order: Order,
    words: str,
    *,
    level: str = "success",
    form: type[OrderForm] | None = None,
) -> HttpResponse:
    """What came of it, in words; how the order stands now is pushed. `form` is the one that was sent."""
    if not request.htmx:
        messages.add_message(request, LEVELS[level], words)
        return redirect("dashboard:order", public_id=order.public_id)
    fresh = form(Order.objects.get(pk=order.pk)) if form else None
    context = {"words": words, "level": level, "form": fresh, "order": order}
    return render(request, "dashboard/_answer.html", context)
