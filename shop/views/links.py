"""The links of the e-mails: opening an order in another browser, and getting a link again."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from shop.emails import hash_of
from shop.forms import FindOrdersForm
from shop.jobs import defer_once
from shop.limits import TooOften, network_of, take
from shop.links import follow
from shop.shoppers import ShopRequest, shopper_of
from shop.views.errors import too_often_page

ASKED_OFTEN = (
    "This was asked for many times from your network of late, so nothing was done this time."
    " What was asked for before is on its way."
)


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
        try:
            take(links=network_of(request))
        except TooOften as too_often:
            return too_often_page(request, too_often, ASKED_OFTEN)
        address = form.cleaned_data["email"]
        defer_once("send_links", hash_of(address), email=address)
        return redirect("links_sent")
    return render(request, "shop/find_orders.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
def links_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/link_sent.html")
