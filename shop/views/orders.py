"""The shopper's orders: all of them, and each on a page of its own."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop.models import Order
from shop.models.clock import database_now
from shop.shoppers import ShopRequest, shopper_of

PER_PAGE = 20


@require_safe
@never_cache
def orders(request: ShopRequest) -> HttpResponse:
    as_of = database_now()
    shopper = shopper_of(request)
    own = Order.objects.of(shopper).worth_keeping().for_lists()
    page = Paginator(own, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "shop/orders.html", {"as_of": as_of, "page": page})


@require_safe
@never_cache
def order(request: ShopRequest, public_id: UUID) -> HttpResponse:
    """The order as the database has it; `?from=stripe` says where the shopper comes from and no more.

    Who came by its link may look, and no more.
    """
    as_of, shopper = database_now(), shopper_of(request)
    found = get_object_or_404(Order.objects.visible_to(shopper), public_id=public_id)
    back_from_stripe = request.GET.get("from") == "stripe"
    context = {
        "as_of": as_of,
        "order": found,
        "is_own": found.owner == shopper,
        "ask_stripe": back_from_stripe and found.is_open,
    }
    return render(request, "shop/order.html", context)
