"""What becomes of money that came and paid no order: a second payment, or one of another amount.

Staff were asked to look at it. What they then do with it at Stripe is told like everything else.
"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shop.models import Order, Outcome, PaymentStatus, StripeEvent
from tests import factories
from tests.stripe_events import charge_refunded, completed, dispute, event, refund

pytestmark = pytest.mark.django_db

HELD = "pi_held"


@pytest.fixture
def paid_twice(deliver, caplog):
    """A paid order, and the event of its second payment."""
    order = factories.paid_order()
    deliver(completed(order, id="cs_test_second", payment_intent=HELD))
    caplog.clear()
    return order


@pytest.fixture
def paid_wrongly(deliver, caplog):
    """A pending order that was paid in another currency."""
    order = factories.order()
    deliver(completed(order, currency="usd", payment_intent=HELD))
    caplog.clear()
    return order


@pytest.fixture(params=["paid_twice", "paid_wrongly"])
def order(request):
    return request.getfixturevalue(request.param)


def stored(event):
    return StripeEvent.objects.get(pk=event["id"])


def state(order):
    order.refresh_from_db()
    return order.version, order.payment_status, order.refunded_amount, order.refunds.count()


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "charge.refunded"])
def test_its_refund_is_shown_at_the_order_and_is_no_alert(deliver, caplog, order, kind):
    before = state(order)
    told = event(kind, refund(order, 2500, payment_intent=HELD))
    if kind == "charge.refunded":
        told = charge_refunded(order, 2500, payment_intent=HELD)
    assert deliver(told).status_code == 200

    assert (stored(told).outcome, stored(told).order, stored(told).retry_at) == (Outcome.IGNORED, order, None)
    assert state(order) == before
    assert caplog.records == []


def test_staff_see_its_refund_where_they_saw_the_payment(deliver, client, paid_twice):
    deliver(event("refund.created", refund(paid_twice, 2500, payment_intent=HELD)))
    client.force_login(factories.staff())

    page = client.get(f"/dashboard/orders/{paid_twice.public_id}/").text
    assert "refund.created" in page


def test_a_payment_that_carries_all_of_itself_is_found_too(deliver):
    order = factories.paid_order()
    deliver(completed(order, payment_intent={"id": HELD, "object": "payment_intent"}))
    told = event("refund.created", refund(order, 2500, payment_intent=HELD))
    deliver(told)

    assert stored(told).order == order


def test_the_refund_of_the_payment_that_counts_still_counts(deliver, paid_twice):
    deliver(event("refund.created", refund(paid_twice, 500)))

    paid_twice.refresh_from_db()
    assert paid_twice.refunded_amount == 500


@pytest.mark.parametrize("intent", ["pi_hel", "pi_hel_", "i_held", "pi%", HELD.upper(), "cs_test_second"])
def test_what_only_looks_like_it_belongs_to_no_order(deliver, caplog, paid_twice, intent):
    told = event("refund.created", refund(paid_twice, 2500, payment_intent=intent))
    deliver(told)

    assert (stored(told).outcome, stored(told).order) == (Outcome.UNMATCHED, None)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_refund_that_was_held_does_not_make_its_payment_known(deliver, paid_twice):
    """Of a payment that paid an order, and in another currency: held, too, but at that other order."""
    other = factories.paid_order()
    deliver(event("refund.created", refund(other, 500) | {"currency": "usd"}))
    StripeEvent.objects.filter(type="refund.created").update(order=paid_twice)
    Order.objects.filter(pk=other.pk).update(payment_intent_id="")
    told = event("refund.created", refund(other, 500, payment_intent=f"pi_{other.public_id.hex}"))
    deliver(told)

    assert stored(told).outcome == Outcome.UNMATCHED


def test_a_bank_that_disputes_it_is_not_left_without_an_answer(deliver, caplog, order):
    made = dispute(order, payment_intent=HELD)
    told = [event(f"charge.dispute.{news}", made) for news in ("created", "updated", "funds_withdrawn")]
    for news in told:
        deliver(news)

    order.refresh_from_db()
    assert "A bank disputes" in order.needs_attention
    assert HELD in order.needs_attention
    assert [(stored(news).outcome, stored(news).order) for news in told] == [(Outcome.HELD, order)] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR"], "once"
    assert (order.disputed, order.disputes.count()) == (False, 0), "its own payment is not disputed"


@pytest.mark.parametrize("status", ["won", "prevented", "warning_closed"])
def test_a_dispute_of_it_that_took_nothing_is_only_shown(deliver, caplog, order, status):
    before = state(order)
    told = event("charge.dispute.closed", dispute(order, payment_intent=HELD, status=status))
    deliver(told)

    assert (stored(told).outcome, stored(told).order) == (Outcome.IGNORED, order)
    assert state(order) == before
    assert order.payment_status in (PaymentStatus.PAID, PaymentStatus.PENDING)
    assert caplog.records == []


def test_it_is_found_among_the_held_ones_only(paid_twice):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO shop_stripeevent (id, type, created, payload, outcome)"
            " SELECT 'evt_' || n, 'refund.created', now(), '{}', 'applied' FROM generate_series(1, 5000) n"
        )
        cursor.execute("ANALYZE shop_stripeevent")
    with CaptureQueriesContext(connection) as asked:
        StripeEvent.objects.held_of_payment(HELD)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {asked[0]['sql']}")
        plan = str(cursor.fetchall())

    assert "events_held" in plan
