"""Staff's list of payments: what a filter lets through, page by page, and what it costs."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client

from shop.models import Order, Product, Source
from shop.rights import VIEW_PAYMENTS
from tests import factories

pytestmark = pytest.mark.django_db

LIST = "/dashboard/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(factories.staff(VIEW_PAYMENTS))
    return client


def shown(staff: Client, query: str = "") -> list[str]:
    """Public ids of the rows, from top to bottom."""
    page = staff.get(f"{LIST}?{query}")
    assert page.status_code == 200
    return re.findall(r'<li id="row-([^"]+)"', page.text)


def ids(*orders: Order) -> list[str]:
    return [str(order.public_id) for order in orders]


def paid(amount: int = 1250, days_ago: float = 0, **fields: Any) -> Order:
    bell = factories.product(unit_amount=amount, name=fields.pop("goods", "Brass bell"))
    order = factories.paid_order(None, (bell, 1))
    past = timedelta(days=days_ago)
    Order.objects.filter(pk=order.pk).update(
        paid_at=F("paid_at") - past, placed_at=F("placed_at") - past, **fields
    )
    return order


def test_it_shows_payments_and_no_checkouts_the_newest_payment_first(staff):
    early, late = factories.order(), factories.order()
    pending = factories.order()
    for order in (late, early):
        order.mark_paid(payment_intent_id=f"pi_{order.pk}", email="ada@example.com", source=Source.WEBHOOK)

    assert shown(staff) == ids(early, late)
    assert shown(staff, "status=all")[0:1] == ids(early)
    assert set(shown(staff, "status=all")) == set(ids(early, late, pending))
    assert shown(staff, "status=pending") == ids(pending)


def test_what_is_paid_while_the_list_is_read_stands_where_it_belongs(staff):
    debit, card = factories.order(), factories.paid_order()
    debit.mark_processing(payment_intent_id="pi_debit", email="ada@example.com", source=Source.WEBHOOK)
    paid_meanwhile: list[bool] = []

    def pay_after_the_first(execute, statement, *rest):
        answer = execute(statement, *rest)
        if not paid_meanwhile and "LIMIT 51" in statement:
            paid_meanwhile.append(
                debit.mark_paid(payment_intent_id="pi_debit", email="ada@example.com", source=Source.WEBHOOK)
            )
        return answer

    with connection.execute_wrapper(pay_after_the_first):
        assert shown(staff) == ids(debit, card)
    assert paid_meanwhile == [True]


def test_a_row_tells_when_how_much_what_who_how_it_stands_and_who_told(staff):
    order = paid(1250, goods="Hand <bell>")
    order.refresh_from_db()
    order.fulfilment.prepare(who_id=None)

    page = staff.get(LIST).text

    [row] = re.findall(r'<li id="row-.*?</li>', page, re.DOTALL)
    for part in (
        "€12.50",
        "1 × <bdi>Hand &lt;bell&gt;</bdi>",
        "ada@example.com",
        ">Paid<",
        order.get_fulfilment_status_display(),
        "Stripe&#x27;s webhook",
        order.number,
    ):
        assert part in row, part
    assert f'datetime="{order.paid_at:%Y-%m-%dT%H:%M:%S}' in row


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=brass", {"small", "large"}),
        ("q=HAND", {"other"}),
        ("q=bea%40example.com", {"large"}),
        ("q=pi_small", {"small"}),
        ("least=20", {"large"}),
        ("most=19.99", {"small", "other"}),
        ("least=12.50&most=12.50", {"small"}),
        ("period=today", {"small", "large"}),
        ("period=week", {"small", "large", "other"}),
        ("status=attention", {"other"}),
        ("status=refunded", {"large"}),
        ("status=unsent&q=brass&least=20", {"large"}),
        ("status=failed", set()),
        ("status=nonsense&least=abc&since=yesterday&period=1e9", {"small", "large", "other"}),
        ("since=0001-01-01", {"small", "large", "other"}),
        ("until=0001-01-01", {"small", "large", "other"}),
        ("until=9999-12-31", {"small", "large", "other"}),
        ("since=1970-01-01&until=9998-12-31", {"small", "large", "other"}),
    ],
)
def test_filters_let_through_what_they_say(staff, settings, query, found):
    settings.TIME_ZONE = "Pacific/Kiritimati"  # where the year 1 began before the calendar's first day
    orders = {
        "small": paid(1250, payment_intent_id="pi_small"),
        "large": paid(9900, email="bea@example.com", refunded_amount=100),
        "other": paid(500, days_ago=3, goods="Hand chime", needs_attention="Look at it."),
    }

    assert set(shown(staff, query)) == {str(orders[name].public_id) for name in found}


def test_an_order_is_found_by_the_number_that_its_shopper_reads_out(staff):
    order, _other = paid(), paid()

    assert shown(staff, f"q={order.number}") == ids(order)
    assert shown(staff, f"q=%23{order.number.lower()}") == ids(order)
    assert shown(staff, f"q={order.public_id}") == ids(order)


def test_what_was_mistyped_is_said_at_its_field_and_kept(staff):
    page = staff.get(LIST, {"least": "cheap", "q": "<b>"}).text

    assert "Enter a number." in page
    assert 'value="cheap"' in page
    assert 'value="&lt;b&gt;"' in page


def test_yesterday_ends_at_midnight_of_the_shops_time_zone(staff, settings, monkeypatch):
    settings.TIME_ZONE = "Europe/Berlin"
    midnight = datetime(2026, 7, 9, 22, 0, tzinfo=UTC)
    before, after = paid(), paid()
    for order, moment in ((before, midnight - timedelta(seconds=1)), (after, midnight)):
        Order.objects.filter(pk=order.pk).update(paid_at=moment, placed_at=moment)

    assert shown(staff, "since=2026-07-10&until=2026-07-10") == ids(after)
    assert shown(staff, "since=2026-07-09&until=2026-07-09") == ids(before)


def test_older_pages_follow_without_gap_or_repetition_also_for_payments_of_the_same_moment(staff):
    bell = factories.product(stock=None)
    orders = [factories.paid_order(None, (bell, 1)) for _ in range(120)]
    moment = orders[0].placed_at
    Order.objects.filter(pk__in=[order.pk for order in orders[30:90]]).update(paid_at=moment)

    seen, query = [], "q=bell"
    while True:
        page = staff.get(f"{LIST}?{query}")
        seen += re.findall(r'<li id="row-([^"]+)"', page.text)
        older = re.search(r'rel="next" href="\?([^"]+)">', page.text)
        if not older:
            break
        query = older[1].replace("&amp;", "&")
        assert query.startswith("q=bell&after=")

    assert len(seen) == 120
    assert set(seen) == set(ids(*orders))


@pytest.mark.parametrize("after", ["x", "1", "99999999999999999-1", "-1--1", "1-1-1", "%00", "１-1"])
def test_a_place_that_is_none_shows_the_first_page(staff, after):
    order = paid()

    assert shown(staff, f"after={after}") == ids(order)


def test_it_takes_as_many_queries_for_many_payments_as_for_few(staff, django_assert_max_num_queries):
    def cost() -> int:
        with django_assert_max_num_queries(40) as queries:
            staff.get(LIST)
        return len(queries)

    paid()
    factories.order()
    few = cost()
    bell = factories.product(stock=None)
    for _ in range(60):
        factories.paid_order(None, (bell, 1))
        factories.order(None, (bell, 1))

    assert cost() == few


def test_the_pictures_of_who_may_look(client):
    assert client.get(LIST).status_code == 302
    client.force_login(factories.user())
    assert client.get(LIST).status_code == 403
    client.force_login(factories.staff("shop.fulfil_order"))
    assert client.get(LIST).status_code == 403
    client.force_login(factories.staff(VIEW_PAYMENTS))
    assert client.get(LIST).status_code == 200


def test_open_checkouts_show_how_long_they_can_be_paid_and_what_they_hold(staff):
    bell: Product = factories.product(name="Ship's bell", stock=5)
    order = factories.order(None, (bell, 3))
    factories.paid_order()

    page = staff.get(LIST).text

    [panel] = re.findall(r'<section id="checkouts".*?</section>', page, re.DOTALL)
    assert "3 × <bdi>Ship&#x27;s bell</bdi>" in panel
    assert f'data-until="{int(order.checkout_expires_at.timestamp())}"' in panel
    assert "<strong>1</strong> started" in panel
    assert "<strong>0</strong> at Stripe" in panel
