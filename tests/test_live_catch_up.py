"""Nothing falls between the rendering of a page and its socket, nor into the gap of a reconnect."""

import pytest

from shop.models import PaymentStatus
from tests import factories, stripe_events
from tests.live import Page, an_order, in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_patrols")]


async def test_a_payment_between_rendering_and_connecting_arrives(shopper, deliver):
    order = await an_order(shopper)
    own_page = await Page.load(shopper, order.get_absolute_url())
    shop = await Page.load(shopper)

    await in_thread(deliver)(stripe_events.completed(order))

    for page in (own_page, shop):
        socket = await page.go_live()
        assert [frame.status for frame in socket.frames if frame.status] == [PaymentStatus.PAID]


async def test_an_order_and_a_stock_level_that_are_new_since_rendering_arrive(shopper):
    await in_thread(shopper.get)("/")
    bell = await in_thread(factories.product)(stock=10)
    page = await Page.load(shopper)

    order = await an_order(shopper, (bell, 4))

    socket = await page.go_live()
    assert {frame.key for frame in socket.frames} == {f"order-{order.public_id}", f"stock-{bell.slug}"}
    assert any('data-available="6"' in frame.text for frame in socket.frames)


async def test_a_page_that_comes_back_with_its_old_ticket_is_brought_what_it_missed(shopper, deliver):
    order = await an_order(shopper)
    page = await Page.load(shopper, order.get_absolute_url())
    before = await page.go_live()
    await before.goes()

    await in_thread(deliver)(stripe_events.completed(order))

    after = await page.go_live()
    assert [frame.status for frame in after.frames] == [PaymentStatus.PAID]


async def test_a_change_while_the_page_connects_arrives(shopper, deliver):
    order = await an_order(shopper)
    page = await Page.load(shopper, order.get_absolute_url())

    socket = await page.connect()
    await in_thread(deliver)(stripe_events.completed(order))

    await socket.frame(lambda frame: frame.status == PaymentStatus.PAID)


async def test_what_was_in_the_page_when_it_was_rendered_is_not_sent_again(shopper):
    order = await an_order(shopper)
    await in_thread(factories.long_ago)()
    page = await Page.load(shopper, order.get_absolute_url())
    shop = await Page.load(shopper)

    assert (await page.go_live()).frames == []
    assert (await shop.go_live()).frames == []


async def test_pages_that_come_back_together_are_all_brought_up_to_date(shopper, deliver):
    order = await an_order(shopper)
    pages = [await Page.load(shopper, path) for path in ("/", "/orders/", order.get_absolute_url())]
    await in_thread(deliver)(stripe_events.completed(order))

    sockets = [await page.connect() for page in pages]

    for socket in sockets:
        await socket.frame(lambda frame: frame.status == PaymentStatus.PAID)
