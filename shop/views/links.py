"""The links of the e-mails: opening an order in another browser, and getting a link again."""

from math import ceil

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from shop.emails import hash_of
from shop.forms import FindOrdersForm
from shop.jobs import defer_once
from shop.limits import wait_of
from shop.links import follow
from shop.shoppers import ShopRequest, shopper_of


@require_GET
@never_cache
def order_link(request: ShopRequest, token: str) -> HttpResponse:
    """Exchange the token for the right to see its order, and get it out of the address bar."""
    order = follow(token, shopper_of(request))
    response = redirect(order) if order else render(request, "shop/link_gone.html", status=404)
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def find_orders(request: HttpRequest) -> HttpResponse:
    """Ask for the links to an address's orders. Whether there are any is found out later, by the worker:
    neither the answer nor the time that it takes may tell.
    """
    form = FindOrdersForm(request.POST or None)
    if form.is_valid():
        if seconds := wait_of(request):
            return _too_often(request, seconds)
        address = form.cleaned_data["email"]
        defer_once("send_links", hash_of(address), email=address)
        return redirect("links_sent")
    return render(request, "shop/find_orders.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
def links_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/link_sent.html")


def _too_often(request: HttpRequest, seconds: int) -> HttpResponse:
    response = render(request, "429.html", {"minutes": ceil(seconds / 60)}, status=429)
    response["Retry-After"] = str(seconds)
    return response
