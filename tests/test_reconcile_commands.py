"""The reconciler by hand: manage.py reconcile and replay_event."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from shop.models import (
    Order,
    Outcome,
    PaymentStatus,
    Source,
    StripeEvent,
)
from tests import factories, stripe_events
from tests.reconciling import bought, last_change, paid_at_stripe, state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_retries", "shopper_is_here")]


def command(name, *arguments):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def test_the_command_does_it_and_sums_up(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))

    assert "orders asked           0" in command("reconcile")
    assert "orders changed         1" in command("reconcile", "--older-than", "0")
    assert state(order)[0] == PaymentStatus.PAID


def test_a_dry_run_tells_what_would_change_and_changes_nothing(unheard, shopper, bell):
    order = paid_at_stripe(unheard, bought(shopper, bell))
    expired = bought(Client(), bell)
    unheard.client().v1.checkout.sessions.expire(expired.stripe_session_id)

    told = command("reconcile", "--older-than", "0", "--dry-run")
    assert "nothing was changed" in told
    assert "events applied         2" in told
    assert "orders changed         2" in told
    assert {state(order), state(expired)} == {(PaymentStatus.PENDING, 1)}
    assert not StripeEvent.objects.exists()
    assert not Order.objects.exclude(checked_at=None).exists()


def test_the_command_fails_when_it_had_to_stop(line, shopper):
    for _ in range(20):
        bought(shopper, factories.product())
    line.next_come(*[503] * 200)

    with pytest.raises(CommandError, match="does not answer"):
        command("reconcile", "--older-than", "0")


def test_one_event_is_replayed_by_hand(deliver, settings):
    order = factories.order()
    event = stripe_events.completed(order)
    settings.STRIPE_LIVE_MODE = True  # by mistake
    deliver(event)
    settings.STRIPE_LIVE_MODE = False
    assert StripeEvent.objects.get().outcome == Outcome.IGNORED

    assert "Applied" in command("replay_event", event["id"])
    assert state(order) == (PaymentStatus.PAID, 2)
    assert last_change(order).source == Source.REPLAY
    assert "Applied" in command("replay_event", event["id"])
    assert state(order) == (PaymentStatus.PAID, 2)


def test_an_event_that_is_not_there_cannot_be_replayed():
    with pytest.raises(CommandError, match="has no event evt_nowhere"):
        command("replay_event", "evt_nowhere")
