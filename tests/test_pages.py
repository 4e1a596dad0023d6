"""The pages: their cost, their lists, what they make of odd names; and the admin and the health checks."""

import json
import re
import socket
from html import unescape
from io import StringIO

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from realtime.fragments import Fragment, audiences, order_fragment, stock_fragment
from shop.models import Order, PaymentStatus, Product, Source, StripeEvent
from shop.shoppers import Shopper
from tests import factories, stripe_events

pytestmark = pytest.mark.django_db


# --- what a page costs ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 10, 60])
def test_the_shop_page_costs_a_guest_the_same_however_many_orders_there_are(
    client, number, django_assert_num_queries
):
    client.get("/")
    bell = factories.product(stock=None)
    for _ in range(number):
        paid(factories.shopper_of(client), bell)

    # The clock, the products, her orders, their lines.
    with django_assert_num_queries(4):
        assert client.get("/").status_code == 200


@pytest.mark.parametrize("number", [1, 10, 60])
def test_the_shop_page_costs_a_user_the_same_however_many_orders_there_are(
    client, number, django_assert_num_queries
):
    user = factories.user()
    client.force_login(user)
    bell = factories.product(stock=None)
    for _ in range(number):
        paid(Shopper(user_id=user.pk), bell)

    # The session and the user as well.
    with django_assert_num_queries(6):
        assert client.get("/").status_code == 200


@pytest.mark.parametrize("number", [1, 30])
def test_an_orders_page_costs_the_same_however_long_the_order(client, number, django_assert_num_queries):
    client.get("/")
    order = factories.order(factories.shopper_of(client), *[(factories.product(), 1) for _ in range(number)])

    with django_assert_num_queries(4):
        assert client.get(order.get_absolute_url()).status_code == 200


@pytest.mark.parametrize("number", [1, 15, 30])
def test_the_list_of_orders_costs_the_same_however_long_it_is(client, number, django_assert_num_queries):
    client.get("/")
    bell = factories.product(stock=None)
    for _ in range(number):
        paid(factories.shopper_of(client), bell)

    with django_assert_num_queries(4):
        assert client.get("/orders/").status_code == 200


def paid(shopper, product):
    order = factories.order(shopper, (product, 1))
    order.mark_paid(payment_intent_id=f"pi_{order.pk}", email="", source=Source.WEBHOOK)
    return order


# --- lists ------------------------------------------------------------------------------------------


def numbers_on(response):
    """The numbers of the orders that a page lists, in order."""
    return re.findall(r">Order ([0-9A-F]{8})<", response.text)


@pytest.fixture
def forty_five(client):
    """A guest's paid orders, newest first."""
    client.get("/")
    bell = factories.product(stock=None)
    return [paid(factories.shopper_of(client), bell).number for _ in range(45)][::-1]


def test_the_orders_come_in_pages_newest_first(client, forty_five):
    pages = [numbers_on(client.get(f"/orders/?page={page}")) for page in (1, 2, 3)]

    assert [len(page) for page in pages] == [20, 20, 5]
    assert [number for page in pages for number in page] == forty_five
    assert numbers_on(client.get("/orders/")) == pages[0]


def test_pages_lead_to_each_other(client, forty_five):
    first, second, last = (client.get(f"/orders/?page={page}").text for page in (1, 2, 3))

    assert ('rel="prev"' in first, 'rel="next" href="?page=2"' in first) == (False, True)
    assert ('rel="prev" href="?page=1"' in second, 'rel="next" href="?page=3"' in second) == (True, True)
    assert ('rel="prev" href="?page=2"' in last, 'rel="next"' in last) == (True, False)


@pytest.mark.parametrize(
    ("page", "shown"),
    [("0", 5), ("-1", 5), ("4", 5), ("x", 20), ("", 20), ("1e3", 20), ("%00", 20), ("9" * 30, 5)],
)
def test_a_page_that_is_none_shows_one_that_is(client, forty_five, page, shown):
    response = client.get(f"/orders/?page={page}")

    assert response.status_code == 200
    assert len(numbers_on(response)) == shown


def test_the_shop_page_shows_the_newest_ten_and_where_the_others_are(client, forty_five):
    page = client.get("/")

    assert numbers_on(page) == forty_five[:10]
    assert 'href="/orders/">All your orders' in page.text


def test_checkouts_that_came_to_nothing_are_not_listed_but_keep_their_page(client):
    client.get("/")
    order = factories.order(factories.shopper_of(client))
    order.expire(source=Source.WEBHOOK)

    assert numbers_on(client.get("/orders/")) == []
    assert 'data-payment-status="expired"' in client.get(order.get_absolute_url()).text


def test_who_bought_nothing_yet_is_told_so(client):
    assert "Nothing bought yet." in client.get("/orders/").text


# --- the order page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_an_order_says_how_its_payment_stands(client, status):
    client.get("/")
    order = factories.order(factories.shopper_of(client))
    paid_at = order.placed_at if status == PaymentStatus.PAID else None
    Order.objects.filter(pk=order.pk).update(payment_status=status, paid_at=paid_at)
    page = client.get(order.get_absolute_url()).text

    assert f'id="order-{order.public_id}"' in page
    assert f'data-payment-status="{status}"' in page
    assert status.label in page


def test_an_order_tells_what_happened_to_it(client):
    client.get("/")
    order = factories.order(factories.shopper_of(client))
    order.flag("Stripe's amount or currency differs from the order's.", source=Source.WEBHOOK)
    order.mark_paid(payment_intent_id="pi_1", email="ada@example.com", source=Source.WEBHOOK)
    page = unescape(client.get(order.get_absolute_url()).text)

    for words in ("Ordered", "We are looking at it", "Paid", "· Stripe"):
        assert words in page
    assert "amount or currency differs" not in page, "what staff are told is not for shoppers"
    assert "pi_1" not in page


# --- odd names --------------------------------------------------------------------------------------

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


# --- seeds ------------------------------------------------------------------------------------------


def test_seeding_twice_keeps_what_is_there():
    call_command("seed_products", stdout=StringIO())
    assert Product.objects.count() == 3
    bell = Product.objects.get(slug="counter-bell")
    bell.revise(stock=1, name="My bell")
    factories.order(None, (bell, 1))
    out = StringIO()
    call_command("seed_products", stdout=out)

    bell.refresh_from_db()
    assert (Product.objects.count(), bell.name, bell.stock, bell.held) == (3, "My bell", 1, 1)
    assert "0 products created, 3 already there." in out.getvalue()


def test_what_is_seeded_can_be_shown_and_bought(client, settings):
    call_command("seed_products", stdout=StringIO())
    page = client.get("/").text

    for bell in Product.objects.all():
        bell.full_clean()
        assert bell.picture in page
        assert (settings.BASE_DIR / "static" / bell.picture).is_file(), bell.picture


# --- the admin --------------------------------------------------------------------------------------


@pytest.fixture
def staff():
    client = Client()
    client.force_login(factories.user(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_every_page_of_the_admin_opens(staff, deliver, model):
    order = factories.order()
    deliver(stripe_events.completed(order))
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"

    assert staff.get(reverse(f"{name}_changelist")).status_code == 200
    assert staff.get(reverse(f"{name}_changelist"), {"q": "a"}).status_code == 200
    assert staff.get(reverse(f"{name}_add")).status_code in (200, 403)
    for row in model._default_manager.all():
        page = staff.get(reverse(f"{name}_change", args=[quote(row.pk)]))
        assert page.status_code == 200
        assert "whsec" not in page.text


@pytest.mark.parametrize("model", [Order, StripeEvent], ids=lambda model: model._meta.label)
def test_staff_read_orders_and_events_and_change_neither(staff, deliver, model):
    order = factories.order()
    deliver(stripe_events.completed(order))
    row = model._default_manager.get()
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"

    assert staff.get(reverse(f"{name}_add")).status_code == 403
    assert (
        staff.post(reverse(f"{name}_change", args=[quote(row.pk)]), {"payment_status": "pending"}).status_code
        == 403
    )
    assert staff.post(reverse(f"{name}_delete", args=[quote(row.pk)]), {"post": "yes"}).status_code == 403
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID


OURS = [model for model in admin.site._registry if model._meta.app_label == "shop"]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_the_admin_answers_no_question_about_a_field_that_it_does_not_filter_by(staff, deliver, model):
    """Else staff without the right to read payloads could guess them, letter by letter, by what is found."""
    deliver(stripe_events.completed(factories.order()))
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    filters = admin.site._registry[model].list_filter
    offered = {entry[0] if isinstance(entry, tuple | list) else entry for entry in filters}
    hidden = {field.name for field in model._meta.get_fields()} - offered

    assert hidden
    for name in hidden:
        assert staff.get(page, {f"{name}__isnull": "0"}).status_code == 400, name


@pytest.mark.parametrize("lookup", ["", "__contains", "__regex", "__in", "__data__object__id"])
@pytest.mark.parametrize(
    ("model", "name"), [("stripeevent", "payload"), ("order", "guest_id"), ("order", "cart")]
)
def test_the_admin_is_no_oracle_for_what_staff_are_not_shown(staff, deliver, model, name, lookup):
    deliver(stripe_events.completed(factories.order()))

    asked = staff.get(reverse(f"admin:shop_{model}_changelist"), {f"{name}{lookup}": "1"})
    assert asked.status_code == 400


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_every_filter_that_the_admin_offers_works(staff, deliver, model):
    deliver(stripe_events.completed(factories.order()))
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    offered = set(re.findall(r'href="(\?[^"]*__?[^"]*)"', staff.get(page).text)) - {"?_facets=True"}
    assert offered
    for address in offered:
        assert staff.get(page + unescape(address)).status_code == 200, address


@pytest.mark.parametrize("who", ["guest", "user"])
def test_the_admin_is_for_staff(client, who):
    if who == "user":
        client.force_login(factories.user())
    response = client.get(reverse("admin:shop_order_changelist"))

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def form_of(page):
    """What a browser would post if nobody typed anything."""
    form = page.text.partition('id="product_form"')[2]
    data = {}
    for tag in re.findall(r"<input [^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("type") == "checkbox" and " checked" not in tag:
            continue
        if "name" in attributes and attributes.get("type") != "submit":
            data[attributes["name"]] = unescape(attributes.get("value", "on"))
    for name, text in re.findall(r'<textarea name="([^"]*)"[^>]*>\r?\n?([^<]*)</textarea>', form):
        data[name] = unescape(text)
    return data


def test_a_product_edited_while_orders_come_in_keeps_its_stock(staff):
    bell = factories.product(name="Bell", stock=10)
    address = reverse("admin:shop_product_change", args=[bell.pk])
    form = form_of(staff.get(address))

    sold = factories.order(None, (bell, 3))
    sold.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
    factories.order(None, (bell, 2))
    response = staff.post(address, form | {"name": "Gong"})

    assert response.status_code == 302
    bell.refresh_from_db()
    assert (bell.name, bell.stock, bell.held) == ("Gong", 7, 2)


def test_a_stock_that_staff_count_anew_is_what_they_counted(staff):
    bell = factories.product(stock=10)
    address = reverse("admin:shop_product_change", args=[bell.pk])
    version = bell.version
    staff.post(address, form_of(staff.get(address)) | {"stock": "25"})

    bell.refresh_from_db()
    assert (bell.stock, bell.version) == (25, version + 1)


def test_staff_cannot_count_less_than_open_orders_hold(staff):
    bell = factories.product(stock=10)
    factories.order(None, (bell, 4))
    address = reverse("admin:shop_product_change", args=[bell.pk])
    response = staff.post(address, form_of(staff.get(address)) | {"stock": "3"})

    assert response.status_code == 200
    assert "Open orders hold more than that" in response.text
    bell.refresh_from_db()
    assert (bell.stock, bell.held) == (10, 4)


def test_staff_add_a_product(staff, client):
    address = reverse("admin:shop_product_add")
    form = form_of(staff.get(address)) | {"name": "Gong", "slug": "gong", "unit_amount": "4200", "stock": "3"}

    assert staff.post(address, form).status_code == 302
    assert "Gong" in client.get("/").text


# --- health -----------------------------------------------------------------------------------------


def test_it_says_that_it_serves_without_asking_anybody(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert (response.status_code, response.text) == (200, "ok\n")


def test_it_is_ready_when_the_database_answers(client):
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"database": "ok", "redis": "ok"}


@pytest.fixture
def silent_port():
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("redis", ["gone", "frozen"])
def test_without_redis_it_is_degraded_and_ready(client, settings, silent_port, redis):
    port = silent_port if redis == "frozen" else 1
    layer = settings.CHANNEL_LAYERS["default"]
    hosts = [{**layer["CONFIG"]["hosts"][0], "address": f"redis://127.0.0.1:{port}"}]
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": {**layer["CONFIG"], "hosts": hosts}}}
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"database": "ok", "redis": "degraded"}


def test_without_the_database_it_is_not_ready(client):
    def down(*args):
        raise OperationalError("the database is down")

    with connection.execute_wrapper(down):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"] == "down"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_asked_without_becoming_anybody(client, path):
    assert client.get(path).cookies == {}
    assert client.post(path).status_code == 405
