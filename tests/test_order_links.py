"""The link in the e-mail opens an order in another browser, and nobody learns more than they should."""

import io
import logging
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from shop.links import link_to
from shop.models import OrderGrant, OrderLink, Source
from shop.models.links import MOST_USES
from shop.shoppers import GUEST_COOKIE
from shop.visits import Visit, ended
from tests import factories, live
from tests.live import in_thread

pytestmark = pytest.mark.django_db

ADA = "ada@example.com"


@pytest.fixture
def order(shopper):
    """Paid by the guest in `shopper`'s browser."""
    shopper.get("/")
    return bought(factories.shopper_of(shopper))


@pytest.fixture
def link(order):
    """The path of a link to it."""
    return urlsplit(link_to(order)).path


def bought(shopper=None, email=ADA):
    order = factories.order(shopper)
    order.mark_paid(payment_intent_id=f"pi_{order.pk}", email=email, source=Source.WEBHOOK)
    return order


def uses():
    return OrderLink.objects.get().uses


# --- opening --------------------------------------------------------------------------------------


def test_the_link_opens_the_order_in_another_browser_at_its_own_address(client, order, link):
    response = client.get(link)
    assert (response.status_code, response["Location"]) == (302, order.get_absolute_url())

    page = client.get(order.get_absolute_url())
    assert page.status_code == 200
    assert order.number in page.text
    assert uses() == 1


def test_the_link_opens_the_order_and_not_the_rest_of_the_buyers(client, order, link):
    other = bought(order.owner)
    client.get(link)

    assert client.get(other.get_absolute_url()).status_code == 404
    assert order.number not in client.get("/orders/").text


def test_it_opens_for_the_buyer_without_using_anything_up(shopper, order, link):
    for _ in range(3):
        assert shopper.get(link)["Location"] == order.get_absolute_url()

    assert uses() == 0
    assert not OrderGrant.objects.exists()


def test_whoever_has_opened_it_may_open_it_as_often_as_wanted(client, order, link):
    for _ in range(MOST_USES + 1):
        assert client.get(link).status_code == 302

    assert uses() == 1


def test_it_opens_in_ten_browsers_and_no_more_33(order, link, shopper):
    browsers = [Client() for _ in range(MOST_USES)]
    assert {browser.get(link).status_code for browser in browsers} == {302}

    eleventh = Client()
    assert eleventh.get(link).status_code == 404
    assert eleventh.get(order.get_absolute_url()).status_code == 404
    assert browsers[0].get(link).status_code == 302, "who may see it, may"
    assert shopper.get(link).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_thirty_browsers_at_once_are_counted_one_by_one(at_once, order, link):
    statuses = at_once([partial(lambda browser: browser.get(link).status_code, Client()) for _ in range(30)])

    assert statuses.count(302) == OrderGrant.objects.count() == uses() == MOST_USES


def test_it_opens_for_thirty_days(client, order, link):
    assert timezone.now() + timedelta(days=29) < OrderLink.objects.get().expires_at
    OrderLink.objects.update(created_at=timezone.now() - timedelta(days=31), expires_at=timezone.now())

    assert client.get(link).status_code == 404
    assert client.get(order.get_absolute_url()).status_code == 404


def test_what_it_gave_ends_after_thirty_days(client, shopper, order, link):
    client.get(link)
    OrderGrant.objects.update(created_at=timezone.now() - timedelta(days=31))

    assert client.get(order.get_absolute_url()).status_code == 404
    assert shopper.get(order.get_absolute_url()).status_code == 200
    assert client.get(link).status_code == 302
    assert client.get(order.get_absolute_url()).status_code == 200


WRONG = ["x", "x" * 32, "x" * 5000, "%00", "%ff", "🔔", "' OR 1=1 --", '"><script>alert(1)']


@pytest.mark.parametrize("token", WRONG)
def test_a_wrong_link_is_a_page_that_offers_a_new_one_33(client, order, link, token):
    response = client.get(f"/orders/link/{token}/")

    assert response.status_code == 404
    assert 'href="/orders/find/"' in response.text
    assert "<script>alert" not in response.text
    assert uses() == 0


def test_asking_for_the_head_alone_uses_nothing_up(client, link):
    assert client.head(link).status_code == 405
    assert uses() == 0


def test_who_came_by_the_link_may_look_and_no_more(client, order):
    pending = factories.order(order.owner)
    client.get(urlsplit(link_to(pending)).path)

    page = client.get(pending.get_absolute_url())
    assert page.status_code == 200
    for deed in ("pay", "cancel"):
        assert f"{pending.get_absolute_url()}{deed}/" not in page.text
        assert client.post(f"{pending.get_absolute_url()}{deed}/").status_code == 404
    assert client.post(f"{pending.get_absolute_url()}check/").status_code == 204


@pytest.mark.django_db(transaction=True)
async def test_the_page_behind_a_link_is_live(client, order, link):
    await in_thread(client.get)(link)
    socket = await live.live(client, order.get_absolute_url())

    await in_thread(order.fulfilment.prepare)(who_id=None)

    frame = await socket.frame()
    assert (frame.key, frame.version) == (f"order-{order.public_id}", order.version)
    await socket.goes()


# --- and accounts ---------------------------------------------------------------------------------


def test_what_a_guest_has_opened_moves_to_the_account(client, order, link):
    ada = factories.user(password="a horse with a staple")
    client.get(link)
    guest = factories.shopper_of(client)
    client.post("/accounts/login/", {"username": ada.username, "password": "a horse with a staple"})

    assert client.get(order.get_absolute_url()).status_code == 200
    assert ended([Visit(guest)]), "the pages of the guest she was are over"
    client.post("/accounts/logout/")
    assert client.get(order.get_absolute_url()).status_code == 404


def test_an_account_that_has_opened_it_already_is_no_obstacle(client, order, link):
    ada = factories.user(password="a horse with a staple")
    elsewhere = Client()
    elsewhere.force_login(ada)
    elsewhere.get(link)
    client.get(link)
    guest = factories.shopper_of(client)
    client.post("/accounts/login/", {"username": ada.username, "password": "a horse with a staple"})

    assert client.get(order.get_absolute_url()).status_code == 200
    assert ended([Visit(guest)])


def test_the_guest_that_was_left_behind_may_see_nothing_more(client, order, link):
    client.get(link)
    thief = Client()
    thief.cookies.load({GUEST_COOKIE: client.cookies[GUEST_COOKIE].value})
    assert thief.get(order.get_absolute_url()).status_code == 200
    ada = factories.user(password="a horse with a staple")
    client.post("/accounts/login/", {"username": ada.username, "password": "a horse with a staple"})

    assert thief.get(order.get_absolute_url()).status_code == 404


# --- what it leaves behind ------------------------------------------------------------------------


def test_the_token_is_in_no_table(order, link):
    token = link.split("/")[-2]

    assert len(token) >= 22  # 128 bits in base64
    [row] = OrderLink.objects.values()
    assert token not in str(row)


def test_nobody_keeps_the_page_of_a_link(client, link):
    for path in (link, "/orders/link/wrong/"):
        response = client.get(path)
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "no-referrer"


def test_no_log_shows_a_token_or_an_address(client, link):
    [handler] = [each for each in logging.root.handlers if getattr(each, "name", "") == "console"]
    assert isinstance(handler, logging.StreamHandler)
    stream, log = handler.stream, io.StringIO()
    handler.setStream(log)
    try:
        client.get("/orders/link/some-token/")
        client.get("/accounts/reset/nobody/some-token/oops/")
        logging.getLogger("elsewhere").warning("%s by %s", link, ADA)
        try:
            raise ValueError(f"{link} by {ADA}")
        except ValueError:
            logging.getLogger("elsewhere").exception("Failed")
    finally:
        handler.setStream(stream)

    said = log.getvalue()
    assert "Not Found: /orders/link/…/" in said
    assert "Not Found: /accounts/reset/nobody/…/oops/" in said
    assert said.count("/orders/link/…/ by …@…") == 2
    for secret in ("some-token", link, "ada@"):
        assert secret not in said


def test_links_lead_to_the_public_address(order):
    assert link_to(order).startswith(f"{settings.PUBLIC_URL}/orders/link/")
