"""What came to nothing is applied later: delivered again by Stripe, or replayed by staff."""

import uuid
from html import unescape

import pytest
from django.test import Client

from shop.models import OrderChange, Outcome, Source
from shop.rights import REFUND_ORDER, VIEW_PAYMENTS
from tests import factories, stripe_events
from tests.reading import text
from tests.recorder import RECORDER, address, browser_of, kept, page, rows
from tests.stripe_events import completed, event

HTMX = {"HX-Request": "true"}


@pytest.fixture
def unmatched(deliver):
    """A payment whose order is there only now."""
    order = factories.order()
    paid = completed(order)
    public_id, order.public_id = order.public_id, uuid.uuid4()
    order.save()
    deliver(paid)
    order.public_id = public_id
    order.save()
    return order, paid


@pytest.mark.django_db
def test_what_failed_at_first_was_delivered_again_for_good_reason(staff, deliver, unmatched):
    _order, paid = unmatched
    deliver(paid)

    [row] = rows(page(staff))
    assert "Applied" in row
    assert "2 attempts, the last" in row
    assert "Duplicate" not in row
    assert rows(page(staff, outcome="duplicate")) == []


@pytest.mark.django_db
def test_replay_applies_what_found_no_order_and_says_who_did_it(unmatched):
    order, paid = unmatched
    assert kept(paid).outcome == Outcome.UNMATCHED
    boss = factories.staff(VIEW_PAYMENTS, REFUND_ORDER)
    browser = Client()
    browser.force_login(boss)

    response = browser.post(address(paid["id"], "replay"), headers=HTMX)
    assert "Replayed. Applied" in response.text
    assert 'hx-target="#answer"' in response.text
    order.refresh_from_db()
    assert order.payment_status == "paid"
    change = order.changes.get(what=OrderChange.What.PAYMENT)
    assert (change.source, change.who) == (Source.REPLAY, boss)
    assert kept(paid).attempts == 1


@pytest.mark.django_db
def test_who_replays_is_not_who_does_the_next_thing(staff, deliver, unmatched):
    staff.post(address(unmatched[1]["id"], "replay"), headers=HTMX)
    order = factories.order()
    deliver(completed(order))

    assert order.changes.get(what=OrderChange.What.PAYMENT).who is None


@pytest.mark.django_db
def test_replay_without_javascript_leads_back(staff, unmatched):
    response = staff.post(address(unmatched[1]["id"], "replay"), follow=True)
    assert response.redirect_chain == [(RECORDER, 302)]
    assert "Replayed. Applied" in text(response.text)


@pytest.mark.django_db
def test_what_fails_again_says_so_and_quotes_nobody(client, staff, deliver):
    client.raise_request_exception = False
    odd = event("refund.updated", stripe_events.refund(factories.paid_order(), 500, status="evaporated"))
    deliver(odd)

    response = staff.post(address(odd["id"], "replay"), headers=HTMX)
    assert response.status_code == 200
    assert "Failed again, and kept: ValueError." in response.text
    assert kept(odd).tries == 2


@pytest.mark.django_db
def test_replay_wants_its_right_and_a_post(unmatched):
    _order, paid = unmatched
    where = address(paid["id"], "replay")
    assert browser_of(VIEW_PAYMENTS).post(where, headers=HTMX).status_code == 403
    assert browser_of(REFUND_ORDER).post(where, headers=HTMX).status_code == 403
    assert browser_of().get(where).status_code == 405
    anybody = Client().post(where)
    assert anybody["Location"] == f"/accounts/login/?next={RECORDER}"
    assert kept(paid).outcome == Outcome.UNMATCHED


@pytest.mark.django_db
def test_what_was_applied_has_no_button(staff, deliver):
    deliver(completed(factories.order()))
    assert "/replay/" not in page(staff).text
    deliver(event("customer.created", {"object": "customer"}))
    assert "/replay/" in page(staff).text


ODD_IDS = ["evt_1/replay", "..", "a%2Fb", "~", "?x=1#y", "evt_" + "x" * 251, "~AAAA"]


@pytest.mark.django_db
@pytest.mark.parametrize("event_id", ODD_IDS)
def test_any_id_that_stripe_may_send_has_its_address(staff, deliver, event_id):
    assert deliver(event("customer.created", {"object": "customer"}, id=event_id)).status_code == 200

    assert event_id in unescape(staff.get(address(event_id)).text)
    assert "Replayed" in staff.post(address(event_id, "replay"), headers=HTMX).text
    assert unescape(page(staff).text).count(f'href="{address(event_id)}"') == 1


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["evt_none", "~AAAA", "~%2F", "~_w", "~"])
def test_other_addresses_are_not_found(staff, path):
    assert staff.get(f"{RECORDER}{path}/").status_code == 404
