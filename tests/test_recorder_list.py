"""The flight recorder's list of deliveries: what each row tells, filters, and pages."""

import re
import uuid
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shop.models import Outcome, StripeEvent
from shop.rights import FULFIL_ORDER, VIEW_PAYMENTS
from tests import factories, stripe_events
from tests.local_stripe import eventually
from tests.reading import text
from tests.recorder import RECORDER, browser_of, many, measured, page, rows
from tests.stripe_events import completed, event


@pytest.mark.django_db
def test_without_the_right_nobody_sees_it(client):
    assert client.get(RECORDER)["Location"].startswith("/accounts/login/")
    assert browser_of(FULFIL_ORDER).get(RECORDER).status_code == 403
    assert browser_of(VIEW_PAYMENTS).get(RECORDER).status_code == 200


@pytest.mark.django_db
def test_an_empty_shop_says_what_will_stand_there(staff):
    assert "Stripe has not delivered anything yet" in text(page(staff).text)


@pytest.mark.django_db(transaction=True)
def test_a_delivery_shows_type_event_order_outcome_and_times(staff, deliver, told):
    order = factories.order()
    paid = completed(order)
    deliver(paid)
    eventually(lambda: measured(paid))

    response = page(staff)
    [row] = rows(response)
    for said in ("Applied", "checkout.session.completed", paid["id"], f"Order {order.number}", "1 attempt"):
        assert said in row
    assert re.search(r"received \+ [\d.]+ m?s committed \+ [\d.]+ m?s pushed \+ [\d.]+ m?s", row)
    assert f"https://dashboard.stripe.com/test/events/{paid['id']}" in response.text
    assert f"/dashboard/orders/{order.public_id}/" in response.text


@pytest.mark.django_db
def test_every_outcome_shows(client, staff, deliver):
    client.raise_request_exception = False
    held = factories.order()
    deliver(completed(held, amount_total=1))
    deliver(event("customer.created", {"object": "customer"}))
    deliver(event("refund.updated", stripe_events.refund(factories.paid_order(), 500, status="evaporated")))
    deliver(completed(factories.order(), client_reference_id=str(uuid.uuid4())))
    paid = completed(factories.order())
    deliver(paid)
    deliver(paid)
    deliver(paid)

    duplicate, unmatched, failed, ignored, on_hold = rows(page(staff))
    assert "Applied Duplicate × 2" in duplicate
    assert "3 attempts, the last" in duplicate
    assert unmatched.startswith("Unmatched")
    assert "Failed" in failed
    assert "ValueError · tried again" in failed
    assert ignored.startswith("Ignored")
    assert on_hold.startswith("Held for staff")


@pytest.mark.django_db
def test_what_is_delivered_again_comes_to_the_top(staff, deliver):
    old, new = (event("customer.created", {"object": "customer"}) for _ in range(2))
    deliver(old)
    deliver(new)
    deliver(old)

    assert [old["id"] in row for row in rows(page(staff))] == [True, False]


@pytest.mark.django_db
def test_an_event_that_the_reconciler_fetched_is_no_delivery(staff):
    StripeEvent.objects.receive("evt_fetched", "customer.created", 1, "{}", delivered=False)
    StripeEvent.objects.settle("evt_fetched", Outcome.IGNORED, None)

    assert "Ignored Fetched" in rows(page(staff))[0]


@pytest.mark.django_db
def test_filters_are_in_the_address(staff, deliver):
    order = factories.order()
    paid, other = completed(order), event("customer.created", {"object": "customer"})
    deliver(paid)
    deliver(other)
    deliver(other)

    def found(**query):
        return {paid["id"]: "paid", other["id"]: "other"}, [
            "paid" if paid["id"] in row else "other" for row in rows(page(staff, **query))
        ]

    for query, expected in (
        ({"type": "checkout.session."}, ["paid"]),
        ({"type": "customer.created"}, ["other"]),
        ({"type": "%"}, []),
        ({"outcome": "applied"}, ["paid"]),
        ({"outcome": "duplicate"}, ["other"]),
        ({"outcome": "failed"}, []),
        ({"q": paid["id"]}, ["paid"]),
        ({"q": order.number}, ["paid"]),
        ({"q": str(order.public_id)}, ["paid"]),
        ({"q": f"pi_{order.public_id.hex}"}, ["paid"]),
        ({"q": "evt_"}, []),
        ({"outcome": "nonsense", "after": "nonsense"}, ["other", "paid"]),
        ({"q": order.number, "outcome": "duplicate"}, []),
    ):
        assert found(**query)[1] == expected, query


def walk(staff, address=""):
    """All that the list has, page by page."""
    seen, pages = [], 0
    while address is not None:
        response = staff.get(RECORDER + address)
        seen += re.findall(r'id="delivery-([^"]+)"', response.text)
        older = re.search(r'rel="next" href="([^"]+)"', response.text)
        address, pages = (unescape(older[1]) if older else None), pages + 1
    return seen, pages


@pytest.mark.django_db
def test_older_ones_are_on_the_next_pages_each_once(staff):
    many(120)
    StripeEvent.objects.update(last_received_at=timezone.now())  # what came at once is told apart, too

    seen, pages = walk(staff)
    assert sorted(seen) == sorted(f"evt_{number}" for number in range(120))
    assert pages == 3


@pytest.mark.django_db
def test_a_rare_one_is_found_by_searching_further_back(staff, monkeypatch):
    monkeypatch.setattr("shop.dashboard.recorder.SEARCHED", 50)
    many(120)
    StripeEvent.objects.filter(pk="evt_119").update(type="payout.paid")

    first = page(staff, type="payout.")
    assert rows(first) == []
    assert "Search further back" in first.text
    assert walk(staff, "?type=payout.") == (["evt_119"], 3)


@pytest.mark.django_db
def test_the_page_costs_the_same_however_many_deliveries_there_are(staff):
    def count():
        with CaptureQueriesContext(connection) as queries:
            assert page(staff).status_code == 200
        return len(queries)

    many(1)
    few = count()
    StripeEvent.objects.all().delete()
    many(60, order=factories.paid_order())
    assert count() == few


@pytest.mark.django_db
def test_what_stripe_says_is_not_markup(staff, deliver):
    odd = event("<script>alert(1)</script>", {"object": "thing"}, id="evt_'\"><b>")
    assert deliver(odd).status_code == 200

    response = page(staff)
    assert "<script>alert" not in response.text
    assert "evt_'\"><b>" in unescape(response.text)
    assert "<b>" not in response.text
