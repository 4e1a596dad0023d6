"""The flight recorder's figures: how long each leg took this hour, and what was refused this day."""

from datetime import timedelta

import pytest
from django.utils import timezone

from shop.dashboard.legs import legs
from shop.models import Outcome, RefusedDelivery, StripeEvent
from tests.reading import text
from tests.recorder import many, page


@pytest.mark.django_db
def test_the_hours_percentiles_are_those_of_the_database(staff):
    many(100, commit_seconds=0.010, push_seconds=0.002, outcome=Outcome.APPLIED)
    StripeEvent.objects.filter(pk__in=[f"evt_{number}" for number in range(10)]).update(commit_seconds=0.2)
    many_ago = timezone.now() - timedelta(hours=2)
    StripeEvent.objects.create(
        id="evt_old", type="a", created=many_ago, received_at=many_ago, payload="{}", commit_seconds=99
    )

    commit = legs()["legs"][1]
    assert (commit.p50, commit.p95) == (pytest.approx(0.010), pytest.approx(0.2))
    assert legs()["measured"] == 100
    read = text(page(staff).text)
    assert "Received → committed p50 10 ms p95 200 ms" in read
    assert "Committed → pushed p50 2.0 ms p95 2.0 ms" in read


@pytest.mark.django_db
def test_what_changed_nothing_was_pushed_to_nobody_and_does_not_make_that_leg_look_fast():
    many(9, commit_seconds=0.010, push_seconds=0)
    assert (legs()["legs"][2].p50, legs()["legs"][2].columns) == (None, [])
    assert (legs()["legs"][1].p50, legs()["measured"]) == (pytest.approx(0.010), 9)

    StripeEvent.objects.filter(pk__in=["evt_0", "evt_1"]).update(outcome=Outcome.APPLIED, push_seconds=0.004)
    _, commit, push = legs()["legs"]
    assert (push.p50, sum(column.deliveries for column in push.columns)) == (pytest.approx(0.004), 2)
    assert sum(column.deliveries for column in commit.columns) == 9


@pytest.mark.django_db
def test_refused_deliveries_of_a_day_are_counted_by_reason(staff):
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for age, count in ((0, 3), (1, 4), (30, 1000)):
        RefusedDelivery.objects.create(
            hour=hour - timedelta(hours=age), reason="The signature does not match.", count=count
        )

    assert legs()["refused"] == [("The signature does not match.", 7)]
    assert "7 The signature does not match." in text(page(staff).text)
