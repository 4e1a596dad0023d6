"""Staff's page of one order: what it tells, what it lets be done, and what needs a look."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shop.models import Source
from tests import factories, stripe_events
from tests.staff_page import HTMX, can, page, said, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("order_is_paid")]


# --- what it tells -------------------------------------------------------------------------------------


def test_the_page_tells_all_about_the_payment(staff, deliver, order):
    deliver(stripe_events.event("refund.created", stripe_events.refund(order, 500)))
    deliver(stripe_events.event("charge.dispute.created", stripe_events.dispute(order)))

    shown = text(staff.get(page(order)))
    for words in (
        "ada@example.com",
        "2 × €12.50",
        "Paid €25.00 Refunded €5.00 Left €20.00",
        "€5.00 Refunded",
        "made at Stripe",
        "Paused: a dispute is open.",
        "Needs a response",
        "Evidence is due by",
        "Payment: Waiting for payment → Paid",
        "Refund of €5.00: Refunded",
        "Dispute over €25.00: Needs a response",
        "refund.created",
        "charge.dispute.created",
        "Applied",
    ):
        assert words in shown, words


def test_ids_lead_to_stripes_own_dashboard(staff, deliver, order, settings):
    event = stripe_events.event("refund.created", stripe_events.refund(order, 500))
    deliver(event)

    test_mode = staff.get(page(order)).text
    settings.STRIPE_LIVE_MODE = True
    live_mode = staff.get(page(order)).text

    assert f"https://dashboard.stripe.com/test/payments/{order.payment_intent_id}" in test_mode
    assert f"https://dashboard.stripe.com/test/events/{event['id']}" in test_mode
    assert f"https://dashboard.stripe.com/payments/{order.payment_intent_id}" in live_mode


def test_the_payload_of_an_event_is_not_shown(staff, deliver):
    order = factories.order()
    deliver(
        stripe_events.completed(
            order, customer_details={"email": "ada@example.com", "name": "Ada of 12 Lane"}
        )
    )

    with CaptureQueriesContext(connection) as queries:
        assert "12 Lane" not in staff.get(page(order)).text
    assert not [query for query in queries.captured_queries if "payload" in query["sql"]]


@pytest.mark.parametrize("number", [1, 20])
def test_the_page_costs_the_same_however_much_has_happened(
    staff, boss, deliver, order, number, django_assert_num_queries
):
    for _ in range(number):
        deliver(stripe_events.event("refund.created", stripe_events.refund(order, 10)))
        order.flag("Look.", source=Source.WEBHOOK)
        order.resolve(who_id=boss.pk)

    # Session, user, rights, clock, order; refunds, disputes, timeline, who did it; lines; what the viewer may
    # (two); the alarm; how it stands at Stripe, events.
    with django_assert_num_queries(15):
        assert staff.get(page(order)).status_code == 200


def test_names_are_shown_as_text(staff, deliver):
    name = "<script>alert(1)</script> \"&'"
    order = factories.paid_order(None, (factories.product(name=name), 2))
    order.fulfilment.prepare(who_id=None)
    order.fulfilment.ship(carrier=name, tracking_url="", who_id=None)
    order.flag(name, source=Source.WEBHOOK)
    deliver(stripe_events.event("charge.dispute.created", stripe_events.dispute(order, reason=name)))

    shown = staff.get(page(order)).text

    assert "<script>alert" not in shown
    assert unescape(shown).count(name) >= 6, "goods, shelf, carrier, why to look (twice), why disputed"


# --- what it lets be done ------------------------------------------------------------------------------


STATES = {
    "pending": (lambda order: None, {"cancel"}),
    "processing": (
        lambda order: order.mark_processing(payment_intent_id="pi_1", email="", source="webhook"),
        set(),
    ),
    "expired": (lambda order: order.expire(source=Source.WEBHOOK), set()),
    "held": (lambda order: order.flag("Look.", source=Source.WEBHOOK), {"cancel", "resolve"}),
}


@pytest.mark.parametrize(("happens", "possible"), STATES.values(), ids=STATES)
def test_what_is_unpaid_can_be_cancelled_and_no_more(staff, happens, possible):
    order = factories.order()
    happens(order)

    assert can(staff.get(page(order))) == possible


def test_what_can_be_done_follows_the_way_of_the_goods(staff, order):
    always = {"refund", "resend", "restock"}
    assert can(staff.get(page(order))) == always | {"prepare", "withhold"}
    for action, then in (
        ("prepare", {"ship", "withhold", "undo-preparing"}),
        ("ship", {"deliver", "undo-shipped"}),
        ("deliver", {"undo-delivered"}),
    ):
        staff.post(page(order, action))
        assert can(staff.get(page(order))) == always | then


def test_a_dispute_or_a_whole_refund_pauses_what_would_be_sent(staff, deliver, order):
    other = factories.paid_order()
    deliver(stripe_events.event("charge.dispute.created", stripe_events.dispute(order)))
    deliver(stripe_events.event("refund.created", stripe_events.refund(other, other.amount_total)))

    assert can(staff.get(page(order))) == {"refund", "resend", "restock", "withhold"}
    answer = staff.post(page(order, "prepare"), headers=HTMX)
    assert said(answer) == "Nothing changed: paused, a dispute is open."
    assert can(staff.get(page(other))) == {"resend", "restock", "withhold"}
    assert "All of it was refunded: there is nothing to send." in text(staff.get(page(other)))


def test_without_javascript_an_action_leads_back_to_the_page_which_says_what_came_of_it(staff, order):
    response = staff.post(page(order, "prepare"), follow=True)

    assert response.redirect_chain == [(page(order), 302)]
    assert "Now: “Being prepared”." in text(response)


# --- what needs a look ---------------------------------------------------------------------------------


def seen_on(response):
    """The reason that the page's button stands for."""
    shown = re.search(r'name="seen" value="([^"]*)" form="resolve"', response.text)
    assert shown is not None
    return shown[1]


def test_what_has_come_up_since_it_was_looked_at_still_needs_a_look(staff, order):
    order.flag("Look.", source=Source.WEBHOOK)
    seen = seen_on(staff.get(page(order)))
    order.flag("Paid twice.", source=Source.WEBHOOK)

    answer = staff.post(page(order, "resolve"), {"seen": seen}, headers=HTMX)
    assert "Something else has come up" in answer.text
    order.refresh_from_db()
    assert order.needs_attention == "Paid twice."


def test_what_was_held_for_staff_is_looked_at_once(staff, order):
    order.flag("Paid twice.", source=Source.WEBHOOK)
    assert "Needs a look: Paid twice." in text(staff.get(page(order)))

    seen = {"seen": seen_on(staff.get(page(order)))}
    first, again = (staff.post(page(order, "resolve"), seen, headers=HTMX) for _ in range(2))

    assert said(first) == "Nothing is left to look at."
    assert "Somebody was faster" in said(again)
    assert "resolve" not in can(staff.get(page(order)))
    assert "Looked at: Paid twice." in text(staff.get(page(order)))
