"""The dashboard's numbers: equal to the database after every change, whatever the clocks do."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.template.loader import render_to_string
from django.test import override_settings
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shop.dashboard import checkouts
from shop.dashboard.checkouts import open_checkouts
from shop.dashboard.numbers import Number, numbers
from shop.models import Order, OrderChange, PaymentStatus, Refund, RefundStatus, Source
from shop.models.refunds import RefundFacts
from tests import factories

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def shown(now: datetime | None = None) -> dict[str, tuple[int | None, int | None]]:
    """Each number: today's and yesterday's."""
    return {number.name: (number.today, number.yesterday) for number in numbers(now)["numbers"]["all"]}


def rendered(now: datetime) -> str:
    return " ".join(render_to_string("live/_numbers.html", {**numbers(now), "version": 7}).split())


def an_order(placed_at: datetime, **fields: Any) -> Order:
    """A row as the shop's verbs leave it, but of any time."""
    defaults: dict[str, Any] = {
        "guest_id": uuid.uuid4(),
        "currency": "eur",
        "amount_total": 1000,
        "placed_at": placed_at,
        "checkout_expires_at": placed_at + timedelta(minutes=31),
        "stripe_session_id": f"cs_{uuid.uuid4().hex}",
    }
    return Order.objects.create(**defaults | fields)


def paid(at: datetime, **fields: Any) -> Order:
    order = an_order(at - timedelta(minutes=2), payment_status="paid", paid_at=at, **fields)
    return moved(order, at, PaymentStatus.PAID)


def moved(order: Order, at: datetime, after: PaymentStatus) -> Order:
    payment = {"what": OrderChange.What.PAYMENT, "before": PaymentStatus.PENDING, "after": after}
    order.changes.create(version=2, source=Source.WEBHOOK, at=at, **payment)
    return order


def refund(order: Order, at: datetime, amount: int, status: str = RefundStatus.SUCCEEDED) -> Refund:
    stripe_id = f"re_{uuid.uuid4().hex}"
    return order.refunds.create(amount=amount, status=status, stripe_refund_id=stripe_id, created_at=at)


# --- equal to the database ------------------------------------------------------------------------


def counted() -> dict[str, Any]:
    """Today's numbers, from every row there is."""
    paid = [order for order in Order.objects.all() if order.payment_status == "paid"]
    gone = [refund for refund in Refund.objects.all() if refund.status in ("pending", "succeeded")]
    waiting = [order for order in Order.objects.all() if order.is_open]
    return {
        "revenue": sum(order.amount_total for order in paid),
        "payments": len(paid),
        "average": round(sum(order.amount_total for order in paid) / len(paid)) if paid else None,
        "checkouts": len(waiting),
        "refunded": sum(refund.amount for refund in gone),
        "refunds": len(gone),
    }


def test_after_each_change_they_equal_the_database(bell):
    def check(**expected: int) -> None:
        today = {name: now for name, (now, _) in shown().items()}
        assert today == counted()
        assert today.items() >= expected.items()

    check(payments=0)
    order, other = factories.order(None, (bell, 2)), factories.order(None, (bell, 1))
    check(checkouts=2)
    order.checkout.attach_session("cs_1")
    check(checkouts=2)
    order.mark_paid(payment_intent_id="pi_1", email="ada@example.com", source=Source.WEBHOOK)
    check(checkouts=1, payments=1, revenue=2500, average=2500)
    asked = Refund.objects.request(order, 700, reason="", note="", who_id=None)
    check(refunds=0, refunded=0)
    facts: dict[str, Any] = {
        "amount": 700,
        "currency": "eur",
        "payment_intent_id": "pi_1",
        "reason": "",
        "failure_reason": "",
    }
    for status, refunds in ((RefundStatus.PENDING, 1), (RefundStatus.SUCCEEDED, 1), (RefundStatus.FAILED, 0)):
        known = RefundFacts(id="re_1", ours=asked.public_id, status=status, **facts)
        assert Refund.objects.record(order, known, Source.WEBHOOK)
        check(refunds=refunds, refunded=700 * refunds, revenue=2500)
    other.mark_processing(payment_intent_id="pi_2", email="ada@example.com", source=Source.WEBHOOK)
    check(checkouts=0, payments=1)
    other.mark_paid(payment_intent_id="pi_2", email="ada@example.com", source=Source.WEBHOOK)
    check(payments=2, revenue=3750, average=1875)


# Days on which clocks are changed, at night, at midnight, by half an hour; and zones of odd minutes.
CHANGES = [
    ("UTC", date(2026, 1, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/Santiago", date(2026, 9, 6)),
    ("America/Santiago", date(2026, 4, 5)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Asia/Kathmandu", date(2026, 7, 1)),
]
MINUTE = timedelta(minutes=1)
BEFORE_AND_AFTER_ONE = [
    datetime(2026, 3, 29, 1, tzinfo=UTC) + minutes * MINUTE for minutes in (-45, -1, 0, 10)
]
AROUND_THREE = [datetime(2026, 10, 25, 1, tzinfo=UTC) + minutes * MINUTE for minutes in (-31, -30, -1, 0, 29)]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[str, datetime, list[datetime]]:
    """A zone, a moment near a change of its clocks, and moments before it at which something was paid: most
    of them near to where a day or the same time yesterday begins.
    """
    name, day = draw(st.sampled_from(CHANGES))
    zone, few = ZoneInfo(name), st.integers(-90, 90)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone).astimezone(UTC)
    near = st.sampled_from([-24 * 60, -12 * 60, 0, 12 * 60, 24 * 60]).flatmap(
        lambda base: few.map(lambda m: base + m)
    )
    now = noon + MINUTE * draw(st.one_of(near, st.integers(-36 * 60, 36 * 60)))
    midnight = now.astimezone(zone).replace(hour=0, minute=0).astimezone(UTC)
    corners = [now, now - 24 * 60 * MINUTE, midnight, midnight - 24 * 60 * MINUTE]
    corner = st.tuples(st.sampled_from(corners), few).map(lambda both: both[0] + both[1] * MINUTE)
    anywhere = st.integers(0, 60 * 60).map(lambda minutes: now - minutes * MINUTE)
    times = draw(st.lists(st.one_of(corner, anywhere), max_size=12))
    return name, now, [at for at in times if at <= now]


def until_same_time(now: datetime, zone: ZoneInfo) -> Callable[[datetime], bool]:
    """Whether a moment (of whole minutes) was yesterday, before the clock showed what it shows now."""
    wall = now.astimezone(zone)
    yesterday = wall.date() - timedelta(days=1)
    minutes = [now - minute * MINUTE for minute in range(50 * 60, 0, -1)]
    of_it = [minute for minute in minutes if minute.astimezone(zone).date() == yesterday]
    late = [minute for minute in of_it if minute.astimezone(zone).time() >= wall.time()]
    counts = {minute for minute in of_it if not late or minute < late[0]}
    return lambda moment: moment in counts


@settings(max_examples=60, deadline=None)
@given(worlds())
# Berlin, at half past two: yesterday's clock went from two to three, and from three back to two.
@example(("Europe/Berlin", datetime(2026, 3, 30, 0, 30, tzinfo=UTC), BEFORE_AND_AFTER_ONE))
@example(("Europe/Berlin", datetime(2026, 10, 26, 1, 30, tzinfo=UTC), AROUND_THREE))
def test_around_midnight_and_changes_of_the_clocks_they_equal_a_count_by_hand(world):
    name, now, times = world
    zone = ZoneInfo(name)
    was_yesterday = until_same_time(now, zone)
    with override_settings(TIME_ZONE=name), transaction.atomic():
        for number, at in enumerate(times):
            refund(paid(at, amount_total=1000 + number), at, 1 + number)
        found = shown(now)
        transaction.set_rollback(True)

    today = [n for n, at in enumerate(times) if at.astimezone(zone).date() == now.astimezone(zone).date()]
    before = [n for n, at in enumerate(times) if was_yesterday(at)]
    assert found["payments"] == found["refunds"] == (len(today), len(before))
    assert found["revenue"] == (sum(1000 + n for n in today), sum(1000 + n for n in before))
    assert found["refunded"] == (sum(1 + n for n in today), sum(1 + n for n in before))


# --- yesterday ------------------------------------------------------------------------------------


def test_yesterday_is_counted_until_the_same_time_of_day():
    paid(NOON - timedelta(days=1, minutes=1), amount_total=500)
    paid(NOON - timedelta(days=1), amount_total=9000)  # just now, a day ago
    paid(NOON - timedelta(days=2), amount_total=9000)

    assert shown(NOON)["revenue"] == (0, 500)
    assert shown(NOON)["average"] == (None, 500)


def test_checkouts_that_were_open_yesterday_are_known_from_their_timelines():
    then = NOON - timedelta(days=1)
    soon, later = then + MINUTE, then + timedelta(hours=20)
    an_order(then - 5 * MINUTE, payment_status="pending")  # nobody has closed it
    paid(soon)
    moved(an_order(then - 6 * MINUTE, payment_status="expired"), later, PaymentStatus.EXPIRED)
    bank_debit = an_order(then - 7 * MINUTE, payment_status="paid", paid_at=later)
    moved(bank_debit, soon, PaymentStatus.PROCESSING)

    moved(an_order(then - 8 * MINUTE, payment_status="cancelled"), then - MINUTE, PaymentStatus.CANCELLED)
    paid(then - MINUTE)
    no_session = an_order(then - MINUTE, payment_status="expired", stripe_session_id=None)
    moved(no_session, later, PaymentStatus.EXPIRED)
    moved(an_order(then - 40 * MINUTE, payment_status="expired"), then - MINUTE, PaymentStatus.EXPIRED)
    an_order(then + MINUTE, payment_status="pending")

    assert shown(NOON)["checkouts"] == (2, 5)


def test_a_checkout_is_open_until_it_is_known_to_be_over_as_in_the_list_of_them():
    an_order(NOON - 30 * MINUTE)
    an_order(NOON - 31 * MINUTE)
    an_order(NOON, stripe_session_id=None)

    assert shown(NOON)["checkouts"] == (3, 0)
    assert open_checkouts()["count"] == 3


def test_the_list_of_checkouts_sums_up_what_all_of_them_hold(bell, monkeypatch):
    monkeypatch.setattr(checkouts, "MOST", 1)
    factories.order(None, (bell, 2), (factories.product(), 3))
    factories.order(None, (bell, 1)).checkout.attach_session("cs_1")
    factories.paid_order(None, (bell, 1))

    sums = open_checkouts()

    assert (sums["count"], sums["at_stripe"], sums["more"], sums["units_held"]) == (2, 1, 1, 6)
    assert sums["amount"] == 6 * 1250
    assert "<strong>6</strong> units held" in render_to_string("live/_checkouts.html", {**sums, "version": 7})


# --- money ----------------------------------------------------------------------------------------


def test_other_currencies_are_left_out_and_said_so():
    refund(paid(NOON, currency="usd", amount_total=7777), NOON, 100)
    paid(NOON - timedelta(days=1), currency="usd")
    paid(NOON)

    assert shown(NOON)["payments"] == (1, 0)
    assert shown(NOON)["revenue"] == (1000, 0)
    assert shown(NOON)["refunds"] == (0, 0)
    assert "Left out: 2 of today’s payments and refunds in other currencies than EUR." in rendered(NOON)


@pytest.mark.parametrize(
    ("currency", "amounts", "average"),
    [
        ("eur", [100, 101], 101),
        ("jpy", [100, 101, 101], 101),
        ("isk", [100, 200], 200),
        ("kwd", [10, 40], 30),
    ],
)
def test_an_average_is_an_amount_that_there_is(settings, currency, amounts, average):
    settings.CURRENCY = currency
    for amount in amounts:
        paid(NOON, amount_total=amount, currency=currency)

    assert shown(NOON)["average"] == (average, None)


# --- as people see it -----------------------------------------------------------------------------


def test_the_difference_is_said_in_words_and_every_amount_can_be_hidden():
    paid(NOON, amount_total=15000)
    paid(NOON - timedelta(days=1, hours=1), amount_total=10000)
    page = rendered(NOON)

    assert 'id="numbers"' in page
    assert 'data-version="7"' in page
    assert "Tuesday, 10 March" in page
    assert '<span class="amount">€50.00</span> more <span class="number-percent">(50 %)</span>' in page
    assert page.count("€") == page.count('<span class="amount">€')


def test_nothing_is_compared_with_nothing():
    page = rendered(NOON)

    assert page.count("As much as yesterday") == 5
    assert page.count("Nothing to compare") == 1


@pytest.mark.parametrize(
    ("today", "yesterday", "more_is", "news"),
    [
        (2, 1, "good", "good"),
        (1, 2, "good", "bad"),
        (2, 1, "bad", "bad"),
        (1, 2, "bad", "good"),
        (2, 1, "", ""),
        (1, 1, "good", ""),
        (None, 1, "good", ""),
    ],
)
def test_less_of_what_is_bad_is_good_news(today, yesterday, more_is, news):
    assert Number("x", "X", today, yesterday, more_is=more_is).news == news


# --- what it costs --------------------------------------------------------------------------------


def test_it_takes_two_statements_and_reads_each_table_by_an_index():
    with connection.cursor() as cursor:
        cursor.execute(MANY)
        cursor.execute(MANY_REFUNDS)
        cursor.execute(MANY_CHANGES)
        cursor.execute("ANALYZE shop_order, shop_refund, shop_orderchange")
    plans: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        execute(f"EXPLAIN {sql}", params, many, context)
        plans.append("\n".join(line for (line,) in context["cursor"].fetchall()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        numbers()

    clock, plan = plans
    assert "shop_" not in clock
    assert "Seq Scan" not in plan
    for index in ("orders_paid", "refunds_by_time", "orders_by_payment", "orders_newest_first"):
        assert plan.count(f" {index} ") == 1, plan


MANY = """
INSERT INTO shop_order (public_id, guest_id, email, currency, amount_total, payment_status, needs_attention,
    stripe_session_id, payment_intent_id, checkout_attempt, checkout_expires_at, version, placed_at, paid_at)
SELECT gen_random_uuid(), gen_random_uuid(), '', 'eur', 1000, 'paid', '', 'cs_' || at, '', 1, at, 1, at, at
FROM generate_series(now() - interval '100 days', now(), interval '10 minutes') at
"""
MANY_REFUNDS = """
INSERT INTO shop_refund (public_id, order_id, stripe_refund_id, amount, status, reason, note, failure_reason,
    created_at)
SELECT gen_random_uuid(), id, 're_' || id, 100, 'succeeded', '', '', '', paid_at
FROM shop_order WHERE id % 20 = 0
"""
MANY_CHANGES = """
INSERT INTO shop_orderchange (order_id, version, what, before, after, source, at)
SELECT id, 2, 'payment_status', 'pending', 'paid', 'webhook', paid_at FROM shop_order
"""
