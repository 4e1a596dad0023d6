"""Redis hurries, PostgreSQL knows: every page converges although nothing was hurried, or Redis is no more."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from channels.layers import get_channel_layer
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from realtime import hub
from shop.models import Order, PaymentStatus, Product, Source
from tests import factories, stripe_events
from tests.live import Page, an_order, as_pushed, in_thread, live, until
from tests.local_stripe import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis_is_dead(settings: Any) -> None:
    use_redis(settings, f"redis://127.0.0.1:{free_port()}")


@pytest.fixture
def redis_is_frozen(settings: Any) -> Iterator[None]:
    """It takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        use_redis(settings, f"redis://127.0.0.1:{server.getsockname()[1]}")
        yield


def use_redis(settings: Any, address: str) -> None:
    layer = settings.CHANNEL_LAYERS["default"]
    host = layer["CONFIG"]["hosts"][0] | {"address": address}
    settings.CHANNEL_LAYERS = {"default": layer | {"CONFIG": layer["CONFIG"] | {"hosts": [host]}}}


async def change_without_a_word(rows: Any, **fields: Any) -> None:
    """As when another process committed it and its hurry-up was lost."""
    await rows.aupdate(**{"updated_at": Now(), "version": F("version") + 1} | fields)


async def test_what_nobody_hurried_arrives_with_the_next_patrol(shopper, quick_patrols):
    bell = await in_thread(factories.product)(stock=10)
    order = await an_order(shopper, (bell, 1))
    own_page, shop = await live(shopper, order.get_absolute_url()), await live(shopper)

    await change_without_a_word(
        Order.objects.filter(pk=order.pk), payment_status=PaymentStatus.PAID, paid_at=Now()
    )
    await change_without_a_word(Product.objects.filter(pk=bell.pk), stock=7)

    await own_page.frame(lambda frame: frame.status == PaymentStatus.PAID)
    await shop.patrolled()
    assert PaymentStatus.PAID in [frame.status for frame in shop.frames]
    assert any('data-available="6"' in frame.text for frame in shop.frames)


async def test_a_change_that_was_committed_long_after_it_was_made_arrives_too(shopper, quick_patrols):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    await page.patrolled()

    # Stamped 8 s ago: its transaction was open while patrols passed by.
    await change_without_a_word(
        Order.objects.filter(pk=order.pk),
        payment_status=PaymentStatus.EXPIRED,
        updated_at=Now() - timedelta(seconds=8),
    )

    await page.frame(lambda frame: frame.status == PaymentStatus.EXPIRED)


@pytest.mark.parametrize("redis", ["redis_is_dead", "redis_is_frozen"])
async def test_with_redis_gone_pages_connect_stripe_is_answered_and_pages_follow(
    shopper, deliver, no_patrols, redis, request
):
    request.getfixturevalue(redis)
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())

    answer = await in_thread(deliver)(stripe_events.completed(order))

    assert answer.status_code == 200
    await page.frame(lambda frame: frame.status == PaymentStatus.PAID)


async def test_with_redis_gone_pages_of_other_processes_follow_by_their_patrols(
    shopper, quick_patrols, redis_is_dead
):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())

    await in_another_process(f"order = Order.objects.get(pk={order.pk})", PAY)

    await page.frame(lambda frame: frame.status == PaymentStatus.PAID)


async def test_a_payment_that_another_process_took_is_hurried_here_through_redis(shopper, no_patrols):
    order = await an_order(shopper)
    own_page, shop = await live(shopper, order.get_absolute_url()), await live(shopper)

    await in_another_process(f"order = Order.objects.get(pk={order.pk})", PAY)

    await own_page.frame(lambda frame: frame.status == PaymentStatus.PAID)
    await shop.frame(lambda frame: frame.status == PaymentStatus.PAID)


async def test_nonsense_in_redis_stops_no_page(shopper, no_patrols, monkeypatch):
    monkeypatch.setattr(hub, "RETRY", 0.05)
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    topic = f"order.{order.public_id.hex}"

    for nonsense in ({"type": "fragment"}, {"type": "fragment", "key": 7}, {"type": "else"}, {"no": "type"}):
        await get_channel_layer().group_send(topic, nonsense)
    await in_thread(order.expire)(source=Source.STAFF)
    await page.frame(lambda frame: frame.status == PaymentStatus.EXPIRED)

    # And what comes through Redis is heard again.
    await Order.objects.filter(pk=order.pk).aupdate(version=9)
    fragment, *_ = await as_pushed(order)
    await get_channel_layer().group_send(topic, fragment.message)
    await page.frame(lambda frame: frame.version == 9)


async def test_a_page_that_came_while_the_database_was_ill_is_greeted_when_it_is_well(
    shopper, deliver, caplog
):
    order = await an_order(shopper)
    page = await Page.load(shopper, order.get_absolute_url())
    table = connection.ops.quote_name(Order._meta.db_table)
    await in_thread(sql)(f"ALTER TABLE {table} RENAME TO elsewhere")
    try:
        socket = await page.connect()
        await until(lambda: "Sweep.greet failed" in caplog.text)
        assert socket.silent
    finally:
        await in_thread(sql)(f"ALTER TABLE elsewhere RENAME TO {table}")
    await in_thread(deliver)(stripe_events.completed(order))

    await socket.frame(lambda frame: frame.status == PaymentStatus.PAID)


PAY = "order.mark_paid(payment_intent_id='pi_1', email='ada@example.com', source='webhook')"


async def in_another_process(*statements: str) -> None:
    """Run them in a Django shell on the tests' database."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    code = "\n".join(["from shop.models import Order, Product", *statements])
    shell = await asyncio.create_subprocess_exec(
        *(sys.executable, "manage.py", "shell", "--no-imports", "-c", code),
        env=os.environ | {"DATABASE_URL": database.geturl()},
    )
    assert await shell.wait() == 0


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
