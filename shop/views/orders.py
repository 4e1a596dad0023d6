"""The shopper's orders: all of them, and each on a page of its own."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop.models import Order
from shop.models.clock import database_moment
from shop.shoppers import ShopRequest, shopper_of

PER_PAGE = 20


@require_safe
@never_cache
def orders(request: ShopRequest) -> HttpResponse:
    as_of = database_moment()
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
    as_of, shopper = database_moment(), shopper_of(request)
    found = Order.objects.visible_to(shopper).filter(public_id=public_id).first()
    back_from_stripe = request.GET.get("from") == "stripe"
    if found is None:
        # Who ordered by the API, or elsewhere, and paid here. The same for every id: it tells nothing.
        if back_from_stripe:
            return render(request, "shop/paid_elsewhere.html", status=404)
        raise Http404
    context = {
        "as_of": as_of,
        "order": found,
        "is_own": found.owner == shopper,
        "ask_stripe": back_from_stripe and found.is_open,
    }
    return render(request, "shop/order.html", context)
