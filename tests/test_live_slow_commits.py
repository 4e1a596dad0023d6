"""A change is stamped before it is committed, and by a clock that may be set back: pages learn of it still.

A COMMIT waits for the disk, or for a standby, as long as it likes. Here the overlap is nothing instead, so
that every open transaction is older than it.
"""

from collections.abc import Iterator

import psycopg
import pytest
from channels.layers import get_channel_layer
from django.db import connection

from realtime import look, pages, sweep
from shop.models import Order, PaymentStatus
from shop.models.clock import database_now
from tests import factories
from tests.live import Frame, Page, Socket, an_order, as_pushed, in_thread, live
from tests.test_live_sweep import change_without_a_word

pytestmark = pytest.mark.django_db(transaction=True)

EXPIRE = """
UPDATE shop_order SET payment_status = 'expired', version = version + 1, updated_at = statement_timestamp()
WHERE id = %s
"""


@pytest.fixture(autouse=True)
def _no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "OVERLAP", 0)
    monkeypatch.setattr(pages, "OVERLAP", 0)


@pytest.fixture
def elsewhere() -> Iterator[psycopg.Connection]:
    """Another process's connection: what it executes is committed when the test says so."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as connected:
        yield connected


@pytest.fixture
def clock() -> Iterator["Clock"]:
    clock = Clock()
    clock.start()
    yield clock
    clock.stop()


def is_expired(frame: Frame) -> bool:
    return frame.status == PaymentStatus.EXPIRED


async def test_what_was_stamped_before_many_patrols_and_committed_after_them_arrives(
    shopper, quick_patrols, elsewhere
):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    elsewhere.execute(EXPIRE, [order.pk])
    for _ in range(3):
        await page.patrolled()
    assert not page.frames

    elsewhere.commit()

    await page.frame(is_expired)


async def test_a_page_that_was_rendered_while_a_change_waited_is_greeted_with_it(
    shopper, no_patrols, elsewhere
):
    order = await an_order(shopper)
    elsewhere.execute(EXPIRE, [order.pk])
    page = await Page.load(shopper, order.get_absolute_url())
    elsewhere.commit()

    socket = await page.go_live()

    assert [frame.status for frame in socket.frames] == [PaymentStatus.EXPIRED]


async def test_a_hurry_up_for_what_waited_long_is_believed(shopper, no_patrols, elsewhere):
    order = await an_order(shopper)
    elsewhere.execute(EXPIRE, [order.pk])
    page = await live(shopper, order.get_absolute_url())
    elsewhere.commit()

    fragment, *_ = await as_pushed(order)
    await get_channel_layer().group_send(fragment.topic, fragment.message)

    await page.frame(is_expired)


async def test_after_the_database_s_clock_was_set_back_pages_follow_again(shopper, quick_patrols, clock):
    order = await an_order(shopper)
    await in_thread(clock.set_ahead)("1 hour")
    page = await live(shopper, order.get_absolute_url())
    await page.patrolled()

    await is_set_back(clock, page)
    await change_without_a_word(Order.objects.filter(pk=order.pk), payment_status=PaymentStatus.EXPIRED)

    await page.frame(is_expired)


async def test_after_it_was_set_back_lists_that_are_sent_whole_follow_again(
    staff, quick_patrols, clock, monkeypatch
):
    monkeypatch.setattr(look, "MOST_NEWS", 0)
    order = await in_thread(factories.paid_order)()
    await in_thread(clock.set_ahead)("1 hour")
    page = await live(staff, "/dashboard/")
    await change_without_a_word(Order.objects.filter(pk=order.pk))
    await page.frame(lambda frame: (frame.target, frame.version) == ("#payments", order.version + 1))

    await is_set_back(clock, page)
    await change_without_a_word(Order.objects.filter(pk=order.pk))

    await page.frame(lambda frame: (frame.target, frame.version) == ("#payments", order.version + 2))


async def is_set_back(clock: "Clock", page: Socket) -> None:
    """And the page has heard of it."""
    await in_thread(clock.set_ahead)("0")
    now = (await in_thread(database_now)()).timestamp()
    while await page.word() > now + 60:
        pass  # of patrols that began before


class Clock:
    """The database's, as the shop's own statements read it."""

    def start(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SHIFTED_CLOCK)
        self._reconnect("SET search_path = shifted, public, pg_catalog")

    def set_ahead(self, ahead: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE shifted.clock SET ahead = %s", [ahead])

    def stop(self) -> None:
        self._reconnect("RESET search_path")
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA shifted CASCADE")

    def _reconnect(self, setting: str) -> None:
        with connection.cursor() as cursor:
            name = connection.ops.quote_name(connection.settings_dict["NAME"])
            cursor.execute(f"ALTER DATABASE {name} {setting}")
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's has one


SHIFTED_CLOCK = """
CREATE SCHEMA shifted;
CREATE TABLE shifted.clock AS SELECT '0'::interval AS ahead;
CREATE FUNCTION shifted.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql
    AS 'SELECT pg_catalog.statement_timestamp() + ahead FROM shifted.clock';
"""
