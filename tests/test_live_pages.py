"""What happens to an order or a product is seen at once on every open page that shows it, and on no other."""

import asyncio
from typing import Any

import pytest
from django.test import Client

from realtime.fragments import Fragment
from realtime.pages import Page as OpenPage
from shop.models import PaymentStatus, Source
from shop.shoppers import Shopper
from shop.visits import Visit
from tests import factories, stripe_events
from tests.live import Page, an_order, in_thread, live, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_patrols")]


async def test_a_signed_webhook_turns_the_order_to_paid_on_its_own_page(shopper, deliver):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())

    answer = await in_thread(deliver)(stripe_events.completed(order))

    assert answer.status_code == 200
    frame = await page.frame(lambda frame: frame.status == PaymentStatus.PAID)
    assert frame.key == f"order-{order.public_id}"
    assert frame.target == f"#order-{order.public_id}"
    assert frame.version == 2
    assert "<h1" in frame.text


async def test_the_same_webhook_turns_it_to_paid_in_the_shoppers_lists(shopper, deliver):
    order = await an_order(shopper)
    shop, orders = await live(shopper), await live(shopper, "/orders/")

    await in_thread(deliver)(stripe_events.completed(order))

    for page in (shop, orders):
        frame = await page.frame(lambda frame: frame.status == PaymentStatus.PAID)
        assert (frame.key, frame.version) == (f"order-{order.public_id}", 2)
        assert "<li" in frame.text


async def test_a_new_order_comes_into_the_lists_that_are_open(shopper):
    page = await live(shopper)

    order = await an_order(shopper)

    frame = await page.frame(lambda frame: frame.key == f"order-{order.public_id}")
    assert "#orders" in frame.target.split(", ")
    assert (frame.status, frame.version) == (PaymentStatus.PENDING, 1)


async def test_stock_is_seen_to_fall_and_to_come_back_by_everybody(shopper, deliver):
    bell = await in_thread(factories.product)(stock=10)
    pages = [await live(Client()), await live(Client()), await live(shopper)]

    order = await an_order(shopper, (bell, 4))
    for page in pages:
        frame = await page.frame(lambda frame: 'data-available="6"' in frame.text)
        assert frame.key == frame.target.removeprefix("#") == f"stock-{bell.slug}"

    await in_thread(deliver)(stripe_events.expired(order))
    for page in pages:
        await page.frame(lambda frame: 'data-available="10"' in frame.text)


async def test_nobody_hears_of_anothers_order(shopper, deliver):
    order = await an_order(shopper)
    own_page, stranger = await live(shopper, order.get_absolute_url()), await live(Client())

    await in_thread(deliver)(stripe_events.completed(order))
    await own_page.frame(lambda frame: frame.status == PaymentStatus.PAID)
    bell = await in_thread(factories.product)()
    await in_thread(bell.revise)(unit_amount=1)
    await stranger.frame(lambda frame: frame.key == f"stock-{bell.slug}")

    assert not [frame for frame in stranger.frames if str(order.public_id) in frame.text]


async def test_a_fragment_that_is_pushed_is_the_part_that_the_page_includes(shopper):
    order = await an_order(shopper)
    path = order.get_absolute_url()
    page = await live(shopper, path)

    await in_thread(order.flag)("Look at it.", source=Source.STAFF)
    frame = await page.frame(lambda frame: frame.version == 2)

    part = frame.text[frame.text.index(">") + 1 : frame.text.rindex("</hx-partial>")]
    assert part.strip() in (await Page.load(shopper, path)).html


async def test_what_shoppers_typed_and_staff_named_is_pushed_escaped(shopper):
    name = "<script>alert(1)</script> \"&'"
    bell = await in_thread(factories.product)(name=name)
    page = await live(shopper)

    await an_order(shopper, (bell, 1))

    frame = await page.frame(lambda frame: frame.status == PaymentStatus.PENDING)
    assert "&lt;script&gt;alert(1)" in frame.text
    assert "<script" not in frame.text


async def test_a_word_goes_out_after_the_mail_before_it_and_not_after_all_that_comes():
    sent: list[str] = []
    room = asyncio.Semaphore(0)

    async def send(message: dict[str, Any]) -> None:
        await room.acquire()
        sent.append(message["text"])

    async def close(code: int) -> None:
        sent.append(f"closed with {code}")

    page = OpenPage(send, close, Visit(Shopper()), frozenset(), rendered_at=0)
    for key in ("one", "two"):
        page.offer(Fragment("topic", key, 1, 1, f"{key} 1"))
    page.confirm("word 1")
    page.offer(Fragment("topic", "three", 1, 1, "three 1"))
    page.offer(Fragment("topic", "two", 2, 1, "two 2"))
    page.confirm("word 2")
    for _ in range(4):
        room.release()
    await until(lambda: len(sent) == 4)
    assert sent == ["one 1", "three 1", "two 2", "word 1"], "what took the place of older mail comes first"

    page.offer(Fragment("topic", "one", 2, 1, "one 2"))
    page.confirm("word 3")
    page.offer(Fragment("topic", "four", 1, 1, "four 1"))
    for _ in range(3):
        room.release()
    await until(lambda: len(sent) == 7)
    assert sent[4:] == ["one 2", "word 3", "four 1"]
