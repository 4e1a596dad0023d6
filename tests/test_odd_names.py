"""Odd names are shown whole and as text; and what is pushed is what the page includes."""

import json
import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from realtime.fragments import Fragment, audiences, order_fragment, stock_fragment
from shop.models import Order
from shop.shoppers import Shopper
from tests import factories

pytestmark = pytest.mark.django_db

NAMES = {
    "a script": '<script>alert("x")</script>',
    "quotes": "\"><img src=x onerror='alert(1)'> & `more`",
    "a template": "{{ settings.SECRET_KEY }}{% now 'Y' %}",
    "the end of a partial": "</hx-partial></article></li><template>",
    "emoji": "Bell 🔔👩‍👩‍👧‍👦",
    "right to left": "جرس \u202eدراجة",
    "500 characters": "B" * 500,
}
MARKUP = ("<script>alert", "<img src=x", "</hx-partial></article>", "<template>")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_name_is_shown_whole_and_as_text_wherever_it_appears_48_49(client, name):
    client.get("/")
    bell = factories.product(name=name, description=name)
    order = factories.order(factories.shopper_of(client), (bell, 1))
    staff = Client()
    staff.force_login(factories.user(is_staff=True, is_superuser=True))

    pages = {
        "shop": client.get(f"/?quantity-{bell.slug}=1"),
        "cart": client.get(f"/cart/?quantity-{bell.slug}=1"),
        "orders": client.get("/orders/"),
        "order": client.get(order.get_absolute_url()),
        "admin's list": staff.get(reverse("admin:shop_product_changelist")),
        "admin's product": staff.get(reverse("admin:shop_product_change", args=[bell.pk])),
        "admin's order": staff.get(reverse("admin:shop_order_change", args=[order.pk])),
    }
    shown = {what: page.text for what, page in pages.items()}
    shown |= {f"push {fragment.topic}": fragment.html for fragment in _pushes(order)}
    for what, html in shown.items():
        assert name in unescape(html), what
        assert not [markup for markup in MARKUP if markup in html], what


def test_a_push_is_what_the_page_includes(client):
    client.get("/")
    bell = factories.product(name='<b>"Bell"</b>')
    order = factories.order(factories.shopper_of(client), (bell, 1))
    whole, row = _pushes(Order.objects.in_full([order.pk])[0])

    def inside(fragment):
        [partial] = re.findall(r"^<hx-partial [^>]*>(.*)</hx-partial>\s*$", fragment.html, re.DOTALL)
        return partial.strip()

    assert inside(whole) in client.get(order.get_absolute_url()).text
    assert inside(row) in client.get("/orders/").text
    bell.refresh_from_db()
    assert inside(stock_fragment(bell)) in client.get("/").text


def _pushes(order: Order) -> list[Fragment]:
    """What shoppers are pushed: for the order's own page, and for their lists."""
    own_page, lists, *_for_staff = audiences(order)
    return [order_fragment(order, audience) for audience in (own_page, lists)]


def test_a_push_knows_no_viewer_and_no_token(client):
    order = factories.order()
    for fragment in _pushes(order):
        assert "csrf" not in fragment.html
        assert str(order.guest_id) not in fragment.html
        assert Shopper(guest_id=order.guest_id).key[1:] not in fragment.html
        assert json.dumps(fragment.message)
