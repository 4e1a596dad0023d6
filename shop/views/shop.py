"""The shop page: what there is, what was chosen, what was bought."""

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop.forms import CartForm
from shop.models import Order, Product
from shop.models.clock import Moment, database_moment
from shop.shoppers import ShopRequest, shopper_of

NEWEST = 10
"""Orders below the products; all of them are at /orders/."""


@require_safe
@never_cache
def shop(request: ShopRequest) -> HttpResponse:
    as_of = database_moment()
    form = cart_form(request.GET or None)
    return shop_page(request, form, as_of, cancelled="cancelled" in request.GET)


@require_safe
@never_cache
def cart(request: HttpRequest) -> HttpResponse:
    """What was chosen so far, added up; for htmx while the shopper chooses."""
    return render(request, "shop/_cart.html", {"form": cart_form(request.GET)})


def cart_form(data: QueryDict | None) -> CartForm:
    """A cart as it was sent, checked; or an empty one."""
    form = CartForm(data, Product.objects.on_sale())
    form.is_valid()
    return form


def shop_page(
    request: ShopRequest, form: CartForm, as_of: Moment, *, status: int = 200, **context: object
) -> HttpResponse:
    """The page around a cart; also the answer to a cart that cannot be bought as it is.

    `as_of` was asked for before the form's products were read.
    """
    shopper = shopper_of(request)
    orders = list(Order.objects.of(shopper).for_lists()[: NEWEST + 1])
    context |= {
        "as_of": as_of,
        "form": form,
        "refused": status != 200,
        "orders": orders[:NEWEST],
        "most_orders": NEWEST,
        "more_orders": len(orders) > NEWEST,
    }
    return render(request, "shop/shop.html", context, status=status)
