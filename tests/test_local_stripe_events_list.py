"""https://docs.stripe.com/api/events/list: how a shop finds what it has missed."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import stripe

from tests.local_stripe import LocalStripe, eventually, receiving

DAY = 24 * 3600


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    """Three payments; the endpoint takes what is about sessions and nothing else."""
    folder = tmp_path_factory.mktemp("stripe")
    with (
        receiving(lambda event: 200 if event["type"].startswith("checkout") else 500) as shop,
        LocalStripe(
            folder, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|whsec_1", SANDBOX_STRIPE_RETRY_SECONDS="600"
        ) as running,
    ):
        for _ in range(3):
            running.pay(running.checkout())
        eventually(lambda: len(listed(running, {"delivery_success": True})) == 3)
        yield running


def listed(local: LocalStripe, params: Any) -> list[Any]:
    return list(local.client().v1.events.list({"limit": 100} | params).data)


def ids(events: list[Any]) -> list[str]:
    return [event.id for event in events]


def age(local: LocalStripe, event_id: str, seconds: int) -> None:
    with closing(sqlite3.connect(local.data_dir / "stripe" / "state.sqlite3", isolation_level=None)) as state:
        state.execute("UPDATE objects SET created = created - ? WHERE id = ?", (seconds, event_id))


def test_every_event_is_either_delivered_or_not_yet(local: LocalStripe) -> None:
    missed, taken = (listed(local, {"delivery_success": answer}) for answer in (False, True))

    assert {event.type for event in taken} == {"checkout.session.completed"}
    assert {event.pending_webhooks for event in taken} == {0}
    assert {event.pending_webhooks for event in missed} == {1}
    assert "payment_intent.succeeded" in {event.type for event in missed}
    assert sorted(ids(missed + taken)) == sorted(ids(listed(local, {})))


def test_filters_hold_together(local: LocalStripe) -> None:
    missed: Any = {"delivery_success": False, "created": {"gte": int(time.time()) - 600}}

    assert listed(local, missed | {"type": "checkout.session.completed"}) == []
    assert {event.type for event in listed(local, missed | {"type": "charge.*"})} == {"charge.succeeded"}
    assert len(listed(local, missed | {"types": ["charge.succeeded", "payment_intent.succeeded"]})) == 6
    assert listed(local, missed | {"created": {"lt": int(time.time()) - 600}}) == []


@pytest.mark.parametrize("only", [{}, {"delivery_success": False}, {"type": "payment_intent.*"}])
def test_pages_follow_each_other_without_a_gap_or_a_repetition(local: LocalStripe, only: Any) -> None:
    # Most of them happened within one second: the cursor is what tells them apart.
    every = ids(listed(local, only))
    events = local.client().v1.events

    assert [event.id for event in events.list(only | {"limit": 2}).auto_paging_iter()] == every
    back = events.list(only | {"limit": 2, "ending_before": every[-1]})
    assert ids(list(back.auto_paging_iter())) == every[:-1][::-1]


def test_what_happens_while_somebody_pages_moves_nothing(local: LocalStripe) -> None:
    every = ids(listed(local, {}))
    events = local.client().v1.events
    first = events.list({"limit": 3})
    local.client().v1.checkout.sessions.expire(local.checkout().id)
    second = events.list({"limit": 3, "starting_after": first.data[-1].id})

    assert ids(first.data) + ids(second.data) == every[:6]
    eventually(lambda: not listed(local, {"delivery_success": False, "type": "checkout.*"}))


def test_an_event_is_retrieved_as_it_was_delivered_but_for_what_is_pending(local: LocalStripe) -> None:
    for event in listed(local, {}):
        assert local.client().v1.events.retrieve(event.id) == event
    with pytest.raises(stripe.InvalidRequestError) as refused:
        local.client().v1.events.retrieve("evt_nobody")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_the_list_reaches_thirty_days_back(local: LocalStripe) -> None:
    *_, older, oldest = ids(listed(local, {}))
    age(local, older, 29 * DAY)
    age(local, oldest, 31 * DAY)

    found = ids(listed(local, {}))
    assert older in found
    assert oldest not in found
    assert ids(listed(local, {"created": {"lt": int(time.time()) - 28 * DAY}})) == [older]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"type": "charge.*", "types": ["charge.succeeded"]}, "types"),
        ({"types": [f"kind{number}" for number in range(21)]}, "types"),
        ({"starting_after": "evt_nobody"}, "starting_after"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"delivery_success": "maybe"}, "delivery_success"),
        ({"created": {"after": 5}}, "created[after]"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_at_its_parameter(
    local: LocalStripe, params: Any, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        local.client().v1.events.list(params)
    assert (refused.value.http_status, refused.value.param) == (400, param)
