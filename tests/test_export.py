"""Payments as a file: what is in it, for whom, and what it costs."""

import csv
import io
import tracemalloc
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.db import connection
from django.db.backends.signals import connection_created
from django.test import AsyncClient

from shop.dashboard import export
from shop.models import Order, Source
from shop.rights import REFUND_ORDER, VIEW_PAYMENTS
from tests import factories, stripe_events

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "/dashboard/export/"


@pytest.fixture
def staff():
    return factories.staff(VIEW_PAYMENTS)


@pytest.fixture
def browser(staff):
    client = AsyncClient()
    client.force_login(staff)
    return client


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(export, "BATCH", 10)


def many(number, *, name="Bell"):
    """Paid orders, a second apart and the last two at once."""
    product, guest = factories.product(name=name), factories.guest()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO shop_order (public_id, guest_id, email, currency, amount_total, payment_status,
                payment_intent_id, checkout_expires_at, needs_attention, checkout_attempt, version, placed_at,
                paid_at)
            SELECT gen_random_uuid(), %s, 'ada@example.com', 'eur', 1250, 'paid', 'pi_' || n, now(), '', 1, 1,
                now() - interval '1 day', now() - least(n, %s) * interval '1 second'
            FROM generate_series(1, %s) n
            """,
            [guest.guest_id, number - 1, number],
        )
        cursor.execute(
            "INSERT INTO shop_orderline (order_id, product_id, name, unit_amount, quantity)"
            " SELECT id, %s, %s, 1250, 1 FROM shop_order",
            [product.pk, name],
        )


async def exported(browser, query=""):
    """Each line by its columns; and the answer."""
    response = await browser.get(ADDRESS + query)
    assert response.status_code == 200
    text = b"".join([chunk async for chunk in response.streaming_content]).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""))), response


# --- who, and how -----------------------------------------------------------------------------------


def test_only_who_may_see_payments_gets_them(client):
    assert client.get(ADDRESS)["Location"] == f"/accounts/login/?next={ADDRESS}"
    client.force_login(factories.staff(REFUND_ORDER))
    assert client.get(ADDRESS).status_code == 403
    assert client.post(ADDRESS).status_code == 405


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])  # one is never at UTC's date
async def test_it_is_a_dated_file_for_excel_that_nobody_keeps(browser, settings, zone):
    settings.TIME_ZONE = zone
    response = await browser.get(ADDRESS)
    content = b"".join([chunk async for chunk in response.streaming_content])

    today = datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="payments-{today}.csv"'
    assert "no-store" in response["Cache-Control"]
    assert content.startswith(b"\xef\xbb\xbfnumber,public_id,placed_at,")
    assert content.endswith(b"payment_intent_id\r\n")
    assert content.count(b"\n") == content.count(b"\r\n") == 1
    assert response["X-Total-Rows"] == "0"


# --- what -------------------------------------------------------------------------------------------


def an_order():
    bell, gong = factories.product(name='Bell, "big"', unit_amount=1250), factories.product(name="Göng 🔔")
    order = factories.paid_order(None, (bell, 2), (gong, 1))
    order.fulfilment.prepare(who_id=None)
    order.flag("Look at it.", source=Source.WEBHOOK)
    Order.objects.update(
        placed_at=datetime(2026, 7, 1, 22, 30, 0, 5, UTC), paid_at=datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    )
    return order


async def test_a_line_says_all_of_an_order(browser, settings, deliver):
    settings.TIME_ZONE = "Europe/Vienna"
    order = await sync_to_async(an_order)()
    refund = stripe_events.event("refund.created", stripe_events.refund(order, 1000))
    assert (await sync_to_async(deliver)(refund)).status_code == 200

    [line], _ = await exported(browser)
    assert line == {
        "number": f"#{order.number}",  # or a spreadsheet may take it for an amount
        "public_id": str(order.public_id),
        "placed_at": "2026-07-02T00:30:00+02:00",
        "paid_at": "2027-01-01T00:30:00+01:00",
        "email": "ada@example.com",
        "goods": '2 × Bell, "big", 1 × Göng 🔔',
        "payment_status": "paid",
        "fulfilment_status": "preparing",
        "currency": "eur",
        "amount_total": "3750",
        "amount_total_formatted": "€37.50",
        "refunded_amount": "1000",
        "refunded_amount_formatted": "€10.00",
        "needs_attention": "Look at it.",
        "disputed": "no",
        "payment_intent_id": order.payment_intent_id,
    }


async def test_the_filter_of_the_page_is_that_of_the_file(browser):
    pending = await sync_to_async(factories.order)()
    paid = await sync_to_async(factories.paid_order)()

    for query, wanted in (
        ("", [paid]),
        ("?status=all", [paid, pending]),
        ("?status=pending", [pending]),
        ("?status=all&q=ada@", [paid]),
        ("?status=nonsense&least=x&page=7", [paid]),
        ("?status=refunded", []),
        ("?until=9999-12-31", [paid]),
    ):
        lines, response = await exported(browser, query)
        assert [line["public_id"] for line in lines] == [str(order.public_id) for order in wanted]
        assert response["X-Total-Rows"] == str(len(wanted))


@pytest.mark.parametrize("currency", ["jpy", "kwd"])
async def test_amounts_are_of_their_currency(browser, currency):
    await sync_to_async(factories.paid_order)()
    await Order.objects.aupdate(currency=currency)

    [line], _ = await exported(browser)
    shown = {"jpy": "¥2,500", "kwd": "KWD\N{NO-BREAK SPACE}2.500"}[currency]
    assert (line["amount_total"], line["amount_total_formatted"]) == ("2500", shown)


DANGEROUS = ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", " =", "\N{ZERO WIDTH SPACE}=", "\n+"]


@pytest.mark.parametrize("beginning", DANGEROUS, ids=ascii)
async def test_no_cell_is_a_formula(browser, beginning):
    evil = f"{beginning}HYPERLINK(A1)"
    await sync_to_async(factories.paid_order)()
    await Order.objects.aupdate(email=evil, needs_attention=evil, payment_intent_id=evil)

    [line], _ = await exported(browser)
    assert {line[name] for name in ("email", "needs_attention", "payment_intent_id")} == {"'" + evil}


async def test_no_cell_becomes_one_where_a_semicolon_ends_cells(browser):
    order = await sync_to_async(factories.paid_order)()
    await order.lines.aupdate(name="Bell;=HYPERLINK(A1)")

    [line], _ = await exported(browser)
    assert line["goods"] == "2 × Bell;'=HYPERLINK(A1)"


def test_what_is_no_formula_stays_as_it_is():
    for text in (
        "",
        "ada+bells@example.com",
        "Tuning fork, -5 cents",
        "2 × Bell = 2 × joy",
        "1-2",
        "Bell; big",
    ):
        assert export.harmless(text) == text


# --- however many -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 9, 10, 11, 20, 35])
async def test_each_is_there_once_the_newest_first(browser, small_batches, number):
    if number:
        await sync_to_async(many)(number)
    lines, response = await exported(browser)

    newest_first = Order.objects.order_by("-paid_at", "-pk").values_list("public_id", flat=True)
    assert [line["public_id"] for line in lines] == [str(one) async for one in newest_first]
    assert response["X-Total-Rows"] == str(number)


async def test_nothing_is_kept_open_in_the_database_while_the_browser_reads(browser, small_batches):
    await sync_to_async(many)(35)
    response = await browser.get(ADDRESS)
    chunks = aiter(response.streaming_content)
    assert await anext(chunks)
    for _ in range(4):
        assert await anext(chunks)
        assert await sync_to_async(lambda: connection.connection)() is None
    assert [chunk async for chunk in chunks] == []


async def test_a_batch_is_one_statement(browser, small_batches):
    await sync_to_async(many)(35)
    response = await browser.get(ADDRESS)
    chunks = aiter(response.streaming_content)
    await anext(chunks)
    statements = []

    def note(execute, *args):
        statements.append(args[0])
        return execute(*args)

    await sync_to_async(lambda: connection.execute_wrappers.append(note))()
    try:
        assert len([chunk async for chunk in chunks]) == 4
    finally:
        await sync_to_async(lambda: connection.execute_wrappers.clear())()
    assert len([one for one in statements if one.startswith("SELECT")]) == 4


async def test_memory_is_for_a_batch_not_for_the_file(browser, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 100)
    await sync_to_async(many)(5000, name="Bell" * 120)
    response = await browser.get(ADDRESS)
    size, lines = 0, 0
    tracemalloc.start()
    try:
        async for chunk in response.streaming_content:
            size += len(chunk)
            lines += chunk.count(b"\r\n")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert lines == 5001
    assert most < size / 3


async def test_a_browser_that_goes_away_ends_the_work(browser, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 1)
    await sync_to_async(many)(500)
    cookie = browser.cookies.output(header="", attrs=[]).strip()
    batches = []
    connection_created.connect(lambda **_: batches.append(1), weak=False, dispatch_uid="batches")
    scope = {"type": "http", "method": "GET", "path": ADDRESS, "query_string": b""}
    scope["headers"] = [(b"host", b"127.0.0.1"), (b"cookie", cookie.encode())]
    visit = ApplicationCommunicator(get_asgi_application(), scope)
    try:
        await visit.send_input({"type": "http.request", "body": b"", "more_body": False})
        assert (await visit.receive_output(5))["status"] == 200
        assert (await visit.receive_output(5))["more_body"]
        await visit.send_input({"type": "http.disconnect"})
        await visit.wait(5)
    finally:
        connection_created.disconnect(dispatch_uid="batches")
    assert len(batches) < 400


# --- trouble ----------------------------------------------------------------------------------------


async def test_a_file_that_could_not_be_finished_says_so(browser, small_batches, caplog):
    await sync_to_async(many)(35)
    response = await browser.get(ADDRESS)
    chunks = aiter(response.streaming_content)
    await anext(chunks)
    await anext(chunks)

    def rename(old, new):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    await sync_to_async(rename)("shop_orderline", "gone")
    try:
        rest = [chunk async for chunk in chunks]
    finally:
        await sync_to_async(rename)("gone", "shop_orderline")
    assert rest == [f"{export.NOT_COMPLETE}\r\n".encode()]
    assert "An export was broken off" in caplog.text


def locking(table):
    """A connection that does not let go of the table until it is closed."""
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table}")
    return other


async def test_a_count_that_takes_long_is_done_without(browser, monkeypatch):
    monkeypatch.setattr(export, "COUNT_PATIENCE", "10ms")
    await sync_to_async(many)(3)
    other = await sync_to_async(locking)("shop_orderline")
    try:
        response = await browser.get(f"{ADDRESS}?q=bell")
    finally:
        await sync_to_async(other.close)()

    assert response.status_code == 200
    assert "X-Total-Rows" not in response
    assert len([chunk async for chunk in response.streaming_content]) == 2
