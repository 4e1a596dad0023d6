"""Handshakes are answered at once, whatever the database is busy with."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from tests.live import Page, until

pytestmark = pytest.mark.django_db(transaction=True)

WAITING = "SELECT 1 FROM pg_locks WHERE relation = 'shop_order'::regclass AND NOT granted"


@pytest.fixture
def elsewhere() -> Iterator[psycopg.Connection]:
    """A connection of somebody who locks things."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as connected:
        yield connected


async def test_a_handshake_is_answered_while_a_sweep_waits_for_the_database(shopper, no_patrols, elsewhere):
    page = await Page.load(shopper)
    elsewhere.execute("LOCK TABLE shop_order")
    await page.connect()
    await until(lambda: elsewhere.execute(WAITING).fetchone())  # the sweep that greets it

    assert await page.socket().opens()
    assert not await page.socket(address="/ws/nowhere/").opens()

    assert elsewhere.execute(WAITING).fetchone(), "still"
