"""What the dashboard asks of a database with 100,000 orders: so many questions, each answered by an index."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from shop.dashboard.feed import PER_PAGE, Cursor
from shop.dashboard.recorder import SEARCHED
from shop.models import Order
from shop.models.order_queries import CAME_IN, OrderQuerySet
from shop.rights import VIEW_PAYMENTS
from tests import factories, many_orders

pytestmark = pytest.mark.django_db

LIST = "/dashboard/"
WEBHOOKS = "/dashboard/webhooks/"
ROW = '<li id="row-'
MOST_LISTED = 10 * PER_PAGE
"""Rows that one step may read for what is shown one by one."""
MOST_SUMMED = 3 * many_orders.ORDERS // many_orders.DAYS
"""And for what is summed up, over today and yesterday."""

Statements = list[tuple[str, Any]]
"""Each with its parameters."""
Node = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def _many_orders(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        many_orders.make()
        yield
        many_orders.unmake()


@pytest.fixture
def asked(client: Client) -> Callable[[str], Statements]:
    """What a page asks for while it is rendered, for staff; `rows` is how many payments it has to show."""
    client.force_login(factories.staff(VIEW_PAYMENTS))

    def load(path: str, rows: int | None = None) -> Statements:
        statements: Statements = []

        def note(execute: Callable[..., Any], sql: str, params: Any, *more: Any) -> Any:
            statements.append((sql, params))
            return execute(sql, params, *more)

        with connection.execute_wrapper(note):
            page = client.get(path)
        assert page.status_code == 200
        assert rows in (None, page.text.count(ROW))
        return statements

    return load


def scans(sql: str, params: Any) -> list[Node]:
    """The steps of its plan that read one of the large tables, after it was carried out."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
        [[[plan]]] = cursor.fetchall()
    return [node for node in nodes(plan["Plan"]) if node.get("Relation Name") in many_orders.TABLES]


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def rows_read(node: Node) -> int:
    dropped = sum(count for name, count in node.items() if name.startswith("Rows Removed by"))
    return int((node["Actual Rows"] + dropped) * node["Actual Loops"])


def expect_indexes(statements: Statements, most_listed: int = MOST_LISTED) -> None:
    reading = [each for each in statements if any(table in each[0] for table in many_orders.TABLES)]
    assert reading
    for sql, params in reading:
        most = MOST_SUMMED if re.search(r"\b(count|sum)\(", sql, re.IGNORECASE) else most_listed
        for node in scans(sql, params):
            assert node["Node Type"] != "Seq Scan", f"{node['Relation Name']} as a whole: {sql}"
            assert rows_read(node) <= most, f"{rows_read(node)} rows of {node['Relation Name']}: {sql}"


def payments() -> OrderQuerySet:
    """What the list shows if nothing else is wanted."""
    return Order.objects.exclude(payment_status__in=["pending", "expired", "cancelled"])


def page_after(share: float) -> str:
    """The address of a page so far down that list."""
    order = payments().order_by(CAME_IN.desc(), "-pk")[int(share * payments().count())]
    return f"{LIST}?after={Cursor.after(order)}"


@pytest.mark.parametrize("query", ["", "status=all", "status=paid", "status=failed", "period=week"])
def test_the_first_page_reads_by_indexes_and_only_what_it_shows(asked, query):
    expect_indexes(asked(f"{LIST}?{query}", rows=PER_PAGE))


# How many there are of these depends on the time of day, or there are few.
@pytest.mark.parametrize("query", ["period=today", "status=pending", "status=processing"])
def test_a_short_list_is_found_without_reading_the_others(asked, query):
    expect_indexes(asked(f"{LIST}?{query}"))


@pytest.mark.parametrize("status", ["attention", "disputed", "refunded"])
def test_the_few_orders_that_something_happened_to_are_found_without_reading_the_others(asked, status):
    expect_indexes(asked(f"{LIST}?status={status}"))


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_page_far_down_the_list_reads_no_more_than_the_first(asked, share):
    expect_indexes(asked(page_after(share), rows=PER_PAGE))


def test_a_page_asks_as_often_for_many_rows_as_for_one(asked):
    last_but_one = payments().order_by(CAME_IN, "pk")[1]

    many = asked(LIST, rows=PER_PAGE)

    assert len(many) == len(asked(f"{LIST}?status=all", rows=PER_PAGE))
    assert len(many) == len(asked(f"{LIST}?after={Cursor.after(last_but_one)}", rows=1))


def test_the_list_of_webhooks_reads_by_indexes_and_only_what_it_shows(asked):
    expect_indexes(asked(WEBHOOKS))


@pytest.mark.parametrize("query", ["outcome=failed", "outcome=duplicate", "type=charge.", "q=cs_test_5000"])
def test_a_search_for_webhooks_has_an_end(asked, query):
    expect_indexes(asked(f"{WEBHOOKS}?{query}"), most_listed=SEARCHED + PER_PAGE)
