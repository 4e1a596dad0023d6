"""The dashboard's pictures: revenue and payments over time, drawn to scale."""

import re
import uuid
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from shop.dashboard.charts import round_ticks
from shop.dashboard.pictures import Picture, pictures
from shop.models import Order
from shop.money import formatted_short
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, 34, 56, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def drawn(now: datetime = NOW) -> tuple[Picture, Picture]:
    minutes, hours = pictures(now)["pictures"]
    return minutes, hours


def paid(at: datetime, amount: int = 1000, currency: str = "eur") -> None:
    Order.objects.create(
        guest_id=uuid.uuid4(),
        currency=currency,
        amount_total=amount,
        payment_status="paid",
        placed_at=at,
        paid_at=at,
        checkout_expires_at=at,
    )


def rendered(now: datetime = NOW) -> str:
    return render_to_string("live/_pictures.html", {**pictures(now), "version": 7})


def svg(page: str, name: str) -> ET.Element:
    """The drawing of one picture, as a browser would parse it."""
    start = page.index('<svg class="plot"', page.index(f'id="picture-{name}"'))
    text = page[start : page.index('</svg>\n    <svg class="axis-time"', start)] + "</svg>"
    return ET.fromstring(text)  # noqa: S314  our own


def percents(bar: ET.Element, *names: str) -> list[float]:
    return [float(bar.attrib[name].removesuffix("%")) for name in names]


# --- what is in them ------------------------------------------------------------------------------


def test_each_payment_is_in_the_minute_and_the_hour_in_which_it_came():
    for at in (NOW, NOW - 56 * timedelta(seconds=1), NOW - 57 * timedelta(seconds=1), NOW - 20 * MINUTE):
        paid(at)
    minutes, hours = drawn()

    assert {bucket.index: (bucket.revenue, bucket.payments) for bucket in minutes.busy} == {
        59: (2000, 2),
        58: (1000, 1),
        39: (1000, 1),
    }
    assert [(bucket.index, bucket.revenue) for bucket in hours.busy] == [(47, 4000)]
    assert (len(minutes.buckets), len(hours.buckets)) == (60, 48)
    assert sum(bucket.revenue for bucket in minutes.buckets) == minutes.revenue == hours.revenue == 4000


def test_they_reach_back_for_sixty_minutes_and_forty_eight_hours():
    first_minute, first_hour = (
        NOW.replace(second=0) - 59 * MINUTE,
        NOW.replace(minute=0, second=0) - 47 * HOUR,
    )
    for start in (first_minute, first_hour):
        paid(start)
        paid(start - timedelta(microseconds=1), amount=5)
    minutes, hours = drawn()

    assert [(bucket.index, bucket.revenue) for bucket in minutes.busy] == [(0, 1000)]
    assert [(bucket.index, bucket.revenue) for bucket in hours.busy] == [(0, 1000), (46, 1005)]


def test_a_payment_just_made_is_in_the_bar_of_now():
    factories.paid_order()
    (bucket,) = pictures()["pictures"][0].busy

    assert (bucket.index, bucket.revenue, bucket.payments) == (59, 2500, 1)


def test_until_the_next_minute_nothing_changes_but_by_payments():
    paid(NOW - 5 * MINUTE)
    start = NOW.replace(second=0)
    before = pictures(start)

    assert pictures(start + timedelta(seconds=59.9)) == before
    assert pictures(start + MINUTE) != before
    paid(NOW)
    assert pictures(start + timedelta(seconds=59.9)) != before


@pytest.mark.parametrize(
    "zone", ["Asia/Kathmandu", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "UTC"]
)
def test_hours_begin_when_the_shops_clock_shows_a_full_hour(zone):
    with override_settings(TIME_ZONE=zone):
        paid(NOW)
        _, hours = drawn()

    here = NOW.astimezone(ZoneInfo(zone))
    assert hours.now.start == here.replace(minute=0, second=0)
    assert hours.now.payments == 1
    assert [bucket.start.minute for bucket in hours.buckets] == [0] * 48


def test_an_hour_that_comes_twice_is_two_bars_and_the_zone_tells_them_apart():
    with override_settings(TIME_ZONE="Europe/Berlin"):
        twice = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        for at in (twice, twice + HOUR):
            paid(at)
        page = rendered(twice + 5 * HOUR)
        _, hours = drawn(twice + 5 * HOUR)

    first, second = hours.busy
    assert second.index == first.index + 1
    assert (first.start.hour, second.start.hour) == (2, 2)
    assert "Sun 02:00 CEST" in page
    assert "Sun 02:00 CET" in page


@pytest.mark.parametrize(("now", "buckets"), [("14:50", 1), ("15:10", 1), ("15:45", 1)])
def test_where_the_clock_goes_back_half_an_hour_a_payment_now_is_still_in_the_last_bar(now, buckets):
    at = datetime.fromisoformat(f"2026-04-04T{now}:00+00:00")  # at 15:00 two o'clock becomes half past one
    with override_settings(TIME_ZONE="Australia/Lord_Howe"):
        paid(at)
        _, hours = drawn(at)

    assert hours.now.payments == buckets


def test_other_currencies_are_left_out_and_said_so():
    paid(NOW)
    paid(NOW, currency="usd")
    minutes, _ = drawn()

    assert (minutes.revenue, minutes.payments) == (1000, 1)
    assert "Left out: 1 payment in other currencies than EUR." in rendered()


# --- how they are drawn ---------------------------------------------------------------------------


@given(st.integers(1, 10**12), st.integers(1, 6), st.sampled_from([1, 10, 100]))
def test_an_axis_has_few_round_even_ticks_and_room_for_the_largest(largest, most, unit):
    ticks = round_ticks(largest, most=most, unit=unit)
    steps = {after - before for before, after in pairwise(ticks)}

    assert ticks[0] == 0
    assert len(ticks) <= most + 1
    assert ticks[-2] < largest <= ticks[-1]
    (step,) = steps
    assert step % unit == 0
    assert re.fullmatch("[125]0*", str(step // unit))


def test_bars_are_as_high_as_what_they_stand_for_and_stand_on_the_axis():
    paid(NOW, amount=4000)
    paid(NOW - 30 * MINUTE, amount=3000)
    paid(NOW - 30 * MINUTE, amount=7000)
    page = rendered()
    plot = svg(page, "minutes")
    lines = [percents(line, "y1")[0] for line in plot.iterfind("g/line")]
    revenue_axis, payments_axis = lines[:3], lines[3:]  # € 0, 50, 100 and payments 0, 1, 2
    half_past, now = plot.findall("svg")

    assert percents(now, "x") == [98.33]
    assert percents(half_past, "x") == [48.33]
    assert now.attrib["class"] == "bucket bucket-now"
    heights = {}
    for name, bucket in (("half_past", half_past), ("now", now)):
        _, revenue, payments = bucket
        for bar, axis in ((revenue, revenue_axis), (payments, payments_axis)):
            y, height = percents(bar, "y", "height")
            assert y + height == pytest.approx(axis[0], abs=0.02)
            heights[name, bar.attrib["class"]] = height / (axis[0] - axis[-1])
    assert heights == pytest.approx(
        {
            ("half_past", "revenue"): 1.0,
            ("half_past", "payments"): 1.0,
            ("now", "revenue"): 0.4,
            ("now", "payments"): 0.5,
        },
        abs=0.01,
    )


def test_the_axis_of_time_is_labelled_by_the_shops_clock():
    with override_settings(TIME_ZONE="Asia/Kathmandu"):  # 18:19 there
        minutes, hours = drawn()
        page = rendered()

    labels = [(f"{tick.start:%H:%M}", tick.is_minor) for tick in minutes.ticks]
    assert labels[:3] == [("17:25", True), ("17:30", False), ("17:35", True)]
    assert [tick.is_day for tick in hours.ticks].count(True) == 2
    assert ">Mon 9</text>" in page
    assert ">18:00</text>" in page


def test_no_label_touches_the_word_now():
    minutes, _ = drawn(NOW.replace(minute=51))

    assert [f"{tick.start:%H:%M}" for tick in minutes.ticks][-2:] == ["12:35", "12:40"]


def test_numbers_for_the_drawing_are_written_as_svg_wants_them_in_every_language():
    paid(NOW)
    with translation.override("de"):
        plot = svg(rendered(), "hours")

    shapes = [shape for shape in plot.iter() if shape.tag != "text"]
    names = ("x", "y", "width", "height", "x1", "x2", "y1", "y2")
    places = [shape.attrib[name] for shape in shapes for name in names if name in shape.attrib]
    assert len(places) > 10
    assert all(re.fullmatch(r"\d+(\.\d+)?%", place) for place in places)


def test_every_amount_can_be_hidden_and_nothing_shows_up_by_itself():
    paid(NOW, amount=123456)
    page = re.sub("<desc.*?</desc>", "", rendered(), flags=re.DOTALL)  # is heard and not seen

    around = re.findall(r"<(\w+)([^>]*)>[^<]*€", page)
    assert len(around) > 10
    assert all("amount" in attributes for _, attributes in around), around
    assert "style=" not in page


def test_who_cannot_see_them_hears_and_reads_them():
    paid(NOW - 4 * MINUTE, amount=1000)
    paid(NOW - 9 * MINUTE, amount=2500)
    page = " ".join(rendered().split())

    assert 'data-version="7"' in page
    assert page.count('role="img"') == 2
    assert "Last 60 minutes: revenue and payments for each minute</title>" in page
    assert "€35.00 from 2 payments. Most of it at 12:25: €25.00.</desc>" in page
    assert '<th scope="row">12:30</th><td class="amount">€10.00</td><td>1</td>' in page


def test_an_empty_picture_says_what_will_be_there():
    page = rendered()

    assert "No payments yet. Each minute that has one becomes a bar here." in page
    assert 'class="bucket' not in page


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(5000, "eur", "€50"), (1250, "eur", "€12.50"), (500, "jpy", "¥500"), (2000, "kwd", "KWD\u00a02")],
)
def test_round_amounts_are_written_short(amount, currency, text):
    assert formatted_short(amount, currency) == text


# --- what they cost -------------------------------------------------------------------------------


def test_each_takes_one_statement_and_reads_by_the_index_of_what_was_paid():
    with connection.cursor() as cursor:
        cursor.execute(MANY)
        cursor.execute("ANALYZE shop_order")
    plans: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        execute(f"EXPLAIN {sql}", params, many, context)
        plans.append("\n".join(line for (line,) in context["cursor"].fetchall()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        pictures()

    assert len(plans) == 3  # the clock's is the first
    assert all(" orders_paid " in plan and "Seq Scan" not in plan for plan in plans[1:])


MANY = """
INSERT INTO shop_order (public_id, guest_id, email, currency, amount_total, payment_status, needs_attention,
    payment_intent_id, checkout_attempt, checkout_expires_at, version, placed_at, paid_at)
SELECT gen_random_uuid(), gen_random_uuid(), '', 'eur', 1000, 'paid', '', '', 1, at, 1, at, at
FROM generate_series(now() - interval '100 days', now(), interval '10 minutes') at
"""
