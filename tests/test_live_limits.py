"""What a page may do to the server, and to the other pages: nothing."""

import pytest
from django.test import Client

from shop.models import Product
from tests import factories
from tests.live import Page, in_thread, live

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "frame", [{"text": "hello"}, {"text": ""}, {"bytes": b"\x00\xff"}, {"text": "x" * 10_000_000}]
)
async def test_a_page_that_says_anything_is_closed(shopper, frame):
    page, stranger = await live(shopper), await live(Client())

    await page.send(**frame)

    assert await page.closes() == 1008
    bell = await in_thread(factories.product)()
    await in_thread(bell.revise)(unit_amount=1)
    await stranger.frame()
    assert page.silent


async def test_a_page_that_says_many_things_is_closed_once(shopper):
    """Under any server."""
    page = await live(shopper)

    for _ in range(3):
        await page.send(text="hello")
    assert await page.closes() == 1008
    await page.goes()

    assert page.silent


async def test_the_eleventh_page_of_a_shopper_is_closed_and_the_ten_live(shopper):
    page = await Page.load(shopper)
    ten = [await page.connect() for _ in range(10)]

    eleventh = await page.connect()

    assert await eleventh.closes() == 4429
    stranger = await live(Client())
    bell = await in_thread(factories.product)()
    await in_thread(bell.revise)(unit_amount=1)
    for socket in (*ten, stranger):
        await socket.frame(lambda frame: frame.key == f"stock-{bell.slug}")


async def test_a_page_that_left_makes_room_for_another(shopper):
    page = await Page.load(shopper)
    ten = [await page.connect() for _ in range(10)]
    await ten[3].goes()

    await page.go_live()
    assert await (await page.connect()).closes() == 4429


async def test_a_page_waits_a_moment_for_another_to_leave(shopper):
    page = await Page.load(shopper)
    ten = [await page.connect() for _ in range(10)]
    eleventh = await page.connect()
    await ten[3].goes()

    await eleventh.word()


async def test_no_more_pages_wait_than_could_be_open(shopper):
    page = await Page.load(shopper)
    _ = [await page.connect() for _ in range(10)]
    waiting = [await page.connect() for _ in range(10)]

    assert await (await page.connect()).closes() == 4429
    assert all(socket.silent for socket in waiting)


async def test_a_page_that_does_not_read_delays_no_other_and_is_kept_one_fragment_of_each_thing(shopper):
    bells = [await in_thread(factories.product)() for _ in range(2)]
    await in_thread(factories.long_ago)()
    slow = await (await Page.load(shopper)).go_live(room=1)
    quick = await live(Client())

    for price in range(1, 21):
        for bell in bells:
            await in_thread(bell.revise)(unit_amount=price)
        await quick.frame(lambda frame: (frame.key, frame.version) == newest(bells[1]))

    # One message on the line, one that waits for the line, and the newest of each thing.
    await slow.frame(lambda frame: (frame.key, frame.version) == newest(bells[1]))
    assert newest(bells[0]) in [(frame.key, frame.version) for frame in slow.frames]
    assert len(slow.frames) <= 2 + len(bells)


def newest(bell: Product) -> tuple[str, int]:
    return f"stock-{bell.slug}", bell.version


async def test_a_page_that_does_not_read_delays_no_other_when_its_session_ends(quick_patrols):
    member, user = Client(), await in_thread(factories.user)()
    await in_thread(member.force_login)(user)
    bell = await in_thread(factories.product)()
    slow = await (await Page.load(member)).go_live(room=1)
    stranger = await live(Client())
    for price in range(1, 4):
        await in_thread(bell.revise)(unit_amount=price)

    await in_thread(member.logout)()

    await stranger.patrolled()
    await stranger.patrolled()
    assert await slow.closes() == 4401
