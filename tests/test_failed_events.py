"""Events that we cannot take in: kept, tried again by Stripe, by us and by hand, and given up loudly."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from shop.models import Order, Outcome, PaymentStatus, StripeEvent
from shop.models.events import MOST_EVENT_RETRIES
from shop.reconcile import Reconciler
from tests import factories
from tests.stripe_events import completed, dispute, event, refund

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _errors_are_answers(client):
    """As Stripe sees them."""
    client.raise_request_exception = False


@pytest.fixture
def order():
    return factories.paid_order()


@pytest.fixture
def unheard_of(order):
    """A refund whose status nobody has heard of yet: the next version of the API has it perhaps."""
    return event("refund.updated", refund(order, 500, status="evaporated"))


def kept():
    return StripeEvent.objects.get()


def retry():
    """The reconciler's turn, long after."""
    StripeEvent.objects.update(retry_at=F("retry_at") - timedelta(days=1))
    return async_to_sync(Reconciler().run)()


@pytest.fixture
def obstacle():
    """The database refuses every change of an order, until it is taken away."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'no change today for ada@example.com'; END $$;
            CREATE TRIGGER obstacle BEFORE UPDATE ON shop_order
            FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
            """
        )

    def take_away():
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER obstacle ON shop_order")

    return take_away


def test_what_we_do_not_understand_is_kept_with_its_reason_and_stripe_comes_back(deliver, order, unheard_of):
    answer = deliver(unheard_of)

    assert answer.status_code == 500
    assert "evaporated" not in answer.text
    stored = kept()
    assert (stored.id, stored.outcome, stored.error) == (unheard_of["id"], Outcome.FAILED, "ValueError")
    assert (stored.tries, stored.attempts) == (1, 1)
    assert timedelta(seconds=50) < stored.retry_at - timezone.now() <= timedelta(minutes=1)
    order.refresh_from_db()
    assert (order.refunded_amount, order.version) == (0, 2)


def test_a_disputes_status_that_nobody_has_heard_of_is_no_guess(deliver, order):
    assert deliver(event("charge.dispute.updated", dispute(order, status="forgotten"))).status_code == 500
    assert kept().outcome == Outcome.FAILED
    assert not order.disputes.exists()


def test_each_delivery_that_fails_again_is_counted_and_waited_for_longer(deliver, unheard_of):
    for _ in range(3):
        assert deliver(unheard_of).status_code == 500

    stored = kept()
    assert (stored.tries, stored.attempts) == (3, 3)
    assert timedelta(minutes=3) < stored.retry_at - timezone.now() <= timedelta(minutes=4)


def test_who_reads_why_it_failed_learns_no_address(deliver, obstacle):
    assert deliver(completed(factories.order())).status_code == 500

    assert kept().error
    assert "ada@example.com" not in kept().error


def test_what_failed_is_done_by_the_reconciler_once_it_can_be(deliver, stripe, obstacle):
    pending = factories.order()
    deliver(completed(pending))
    assert retry().failed == 1
    assert kept().tries == 2

    obstacle()
    assert retry().events_applied == 1
    pending.refresh_from_db()
    assert pending.payment_status == PaymentStatus.PAID
    stored = kept()
    assert (stored.outcome, stored.error, stored.retry_at, stored.order) == (
        Outcome.APPLIED,
        "",
        None,
        pending,
    )
    assert stored.attempts == 1, "Stripe delivered it once"


def test_what_failed_is_done_by_stripes_next_delivery(deliver, obstacle):
    pending = factories.order()
    paid = completed(pending)
    deliver(paid)
    obstacle()

    assert deliver(paid).status_code == 200
    assert (kept().outcome, kept().attempts, kept().retry_at) == (Outcome.APPLIED, 2, None)
    assert Order.objects.get(pk=pending.pk).payment_status == PaymentStatus.PAID


def test_what_failed_is_done_by_hand(deliver, obstacle, capsys):
    pending = factories.order()
    paid = completed(pending)
    deliver(paid)
    with pytest.raises(CommandError, match="Failed again, and kept"):
        call_command("replay_event", paid["id"])

    obstacle()
    call_command("replay_event", paid["id"])
    assert "Applied" in capsys.readouterr().out
    assert Order.objects.get(pk=pending.pk).payment_status == PaymentStatus.PAID


def test_what_fails_again_and_again_is_given_up_once_and_loudly(deliver, stripe, unheard_of, caplog):
    deliver(unheard_of)
    tries = 1
    while kept().retry_at:
        assert retry().events_retried == 1
        tries += 1

    assert tries == MOST_EVENT_RETRIES + 1
    assert retry().events_retried == 0
    alerts = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert len(alerts) == 1
    assert unheard_of["id"] in alerts[0].getMessage()
    assert kept().outcome == Outcome.FAILED, "it can still be replayed by hand"


def test_what_fails_keeps_nothing_else_from_its_order(deliver, order, unheard_of):
    deliver(unheard_of)
    assert deliver(event("refund.created", refund(order, 700))).status_code == 200

    order.refresh_from_db()
    assert order.refunded_amount == 700
