"""Who may open a socket: pages of our own origins, in the browser they were made for, not too old."""

import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core import signing
from django.test import Client

from shop.shoppers import GUEST_COOKIE
from tests import factories
from tests.live import Page, Socket, an_order, cookies_of, in_thread, live

pytestmark = pytest.mark.django_db(transaction=True)

HERE = urlsplit(settings.PUBLIC_URL)
DAY = 24 * 3600


async def is_turned_away(socket: Socket) -> bool:
    """Accepted only to be told 4401, and nothing else."""
    assert await socket.opens()
    assert await socket.closes() == 4401
    return socket.frames == []


# --- where it comes from --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "garbage",
        "http://shop.example",
        f"{HERE.scheme}://{HERE.hostname}",
        f"{HERE.scheme}://{HERE.hostname}:1",
        f"https://{HERE.netloc}",
        f"{HERE.scheme}://{HERE.hostname}.shop.example:{HERE.port}",
        f"{HERE.scheme}://{HERE.hostname}@shop.example:{HERE.port}",
    ],
)
async def test_a_socket_of_another_origin_is_refused(shopper, origin):
    page = await Page.load(shopper)

    assert not await page.socket(origin=origin).opens()


@pytest.mark.parametrize("origin", settings.SITE_ORIGINS)
async def test_a_socket_of_each_of_our_origins_is_opened(shopper, origin):
    page = await Page.load(shopper)

    await page.go_live(origin=origin)


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/shop", "/ws/orders/", "/ws/orders/1/", "/ws/shop/more/"])
async def test_an_unknown_address_is_refused(shopper, path):
    page = await Page.load(shopper)
    ticket = urlsplit(page.address).query

    assert not await page.socket(address=f"{path}?{ticket}").opens()


# --- the ticket -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?ticket=",
        "?ticket=garbage",
        "?ticket=a:b:c",
        "?ticket=%00%ff",
        "?other=1",
        "?ticket=" + "A" * 9000,
    ],
)
async def test_a_page_without_a_real_ticket_is_turned_away(shopper, query):
    page = await Page.load(shopper)

    assert await is_turned_away(page.socket(address=f"/ws/shop/{query}"))


async def test_an_altered_ticket_is_turned_away(shopper):
    page = await Page.load(shopper)
    path, ticket = page.address.split("?ticket=")
    content, *seal = ticket.split(":")
    swapped = "A" if content[10] != "A" else "B"
    altered = ":".join([content[:10] + swapped + content[11:], *seal])

    assert await is_turned_away(page.socket(address=f"{path}?ticket={altered}"))


async def test_a_ticket_signed_with_another_key_is_turned_away(shopper, settings):
    kept, settings.SECRET_KEY = settings.SECRET_KEY, "somebody's guess"
    await in_thread(shopper.get)("/")
    page = await Page.load(shopper)
    settings.SECRET_KEY = kept

    assert await is_turned_away(page.socket())


async def test_a_ticket_for_another_address_is_turned_away(shopper):
    mine, other = await an_order(shopper), await an_order(shopper)
    shop = await Page.load(shopper)
    page = await Page.load(shopper, mine.get_absolute_url())
    ticket = urlsplit(page.address).query

    for path in ("/ws/shop/", f"/ws/orders/{other.public_id}/"):
        assert await is_turned_away(page.socket(address=f"{path}?{ticket}"))
    path = urlsplit(page.address).path
    assert await is_turned_away(page.socket(address=f"{path}?{urlsplit(shop.address).query}"))


async def test_a_ticket_of_yesterday_is_good_until_it_is_a_day_old(shopper, monkeypatch):
    await in_thread(shopper.get)("/")
    young = await page_rendered(monkeypatch, shopper, seconds_ago=DAY - 60)
    old = await page_rendered(monkeypatch, shopper, seconds_ago=DAY + 60)
    week = await page_rendered(monkeypatch, shopper, seconds_ago=7 * DAY)

    await young.go_live()
    assert await is_turned_away(old.socket())
    assert await is_turned_away(week.socket())


# --- the browser ----------------------------------------------------------------------------------


async def test_a_guests_ticket_is_good_in_that_guests_browser_only(shopper):
    order = await an_order(shopper)
    stranger = Client()
    await in_thread(stranger.get)("/")
    forged = f"{GUEST_COOKIE}={factories.shopper_of(shopper).guest_id}"

    for path in ("/", order.get_absolute_url()):
        page = await Page.load(shopper, path)
        for cookies in ("", cookies_of(stranger), f"{GUEST_COOKIE}=garbage", forged):
            assert await is_turned_away(page.socket(cookies=cookies))


async def test_a_users_ticket_is_good_in_the_session_that_it_was_rendered_in_only(shopper):
    user = await in_thread(factories.user)()
    stranger, same_user = Client(), Client()
    await in_thread(shopper.force_login)(user)
    await in_thread(same_user.force_login)(user)
    await in_thread(stranger.force_login)(await in_thread(factories.user)())
    page = await Page.load(shopper)

    for client in (Client(), stranger, same_user):
        assert await is_turned_away(page.socket(cookies=cookies_of(client)))
    await page.go_live()


async def test_a_ticket_does_not_tell_the_session_that_it_is_good_for(shopper):
    await in_thread(shopper.force_login)(await in_thread(factories.user)())
    page = await Page.load(shopper)
    session_key = shopper.cookies[settings.SESSION_COOKIE_NAME].value

    content, _, _ = urlsplit(page.address).query.removeprefix("ticket=").rpartition(":")
    assert session_key not in page.html
    assert session_key not in signing.b64_decode(content.split(":")[0].encode()).decode()


async def test_a_refused_page_takes_nobodys_place(shopper):
    page = await Page.load(shopper)
    for _ in range(12):
        assert await is_turned_away(page.socket(address="/ws/shop/?ticket=garbage"))

    assert await live(shopper)


async def page_rendered(monkeypatch: pytest.MonkeyPatch, client: Client, *, seconds_ago: float) -> Page:
    with monkeypatch.context() as then:
        then.setattr(signing, "time", SimpleNamespace(time=lambda: time.time() - seconds_ago))
        return await Page.load(client)
