"""What no webhook brings, the reconciler does: by the same verbs, and once."""

import asyncio
import io
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client
from django.utils import timezone

from shop import checkout, patience, reconcile
from shop.models import (
    Order,
    OrderChange,
    Outcome,
    PaymentStatus,
    Product,
    Refund,
    RefundStatus,
    Source,
    StripeEvent,
)
from shop.models.events import MOST_EVENT_RETRIES
from shop.patience import Patience
from shop.reconcile import Reconciler
from tests import factories, stripe_events
from tests.local_stripe import KEY, LocalStripe, eventually, free_port

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_retries")]


@pytest.fixture
def bell():
    return factories.product(stock=9)


@pytest.fixture
def shopper():
    client = Client()
    client.get("/")
    return client


@pytest.fixture
def unheard(tmp_path, settings):
    """The local Stripe whose webhooks reach nobody, with the shop talking to it."""
    hook = f"http://127.0.0.1:{free_port()}/stripe-webhook/|{settings.STRIPE_WEBHOOK_SECRETS[0]}"
    with LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=hook, SANDBOX_STRIPE_DEBIT_SECONDS="0") as local:
        settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = local.url, KEY
        yield local


def bought(client, bell):
    """An order with a session at Stripe, still to be paid."""
    client.post("/checkout/", {f"quantity-{bell.slug}": 2})
    return Order.objects.latest("pk")


def session(stripe, order):
    return stripe.client().v1.checkout.sessions.retrieve(order.stripe_session_id)


def paid_at_stripe(stripe, order, **fields):
    stripe.pay(session(stripe, order), **fields)
    return order


def age(order, **by):
    Order.objects.filter(pk=order.pk).update(placed_at=F("placed_at") - timedelta(**by))


def run(**how):
    return async_to_sync(Reconciler(**how).run)()


def state(order):
    order.refresh_from_db()
    return PaymentStatus(order.payment_status), order.version


def last_change(order):
    return OrderChange.objects.filter(order=order).latest("version")


# --- orders that are still open ---------------------------------------------------------------------


def test_an_order_whose_webhook_never_came_is_paid_by_one_request(line, stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=11)
    line.asked.clear()

    summary = run()
    assert state(order) == (PaymentStatus.PAID, 2)
    assert last_change(order).source == Source.RECONCILER
    assert (summary.orders_asked, summary.orders_changed, summary.unanswered) == (1, 1, 0)
    assert [method for method, _key in line.asked] == ["GET", "GET"]  # the events, and this order
    bell.refresh_from_db()
    assert (bell.stock, bell.held) == (7, 0)


def test_an_order_that_is_young_is_left_to_its_webhook(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=9)

    assert run().orders_asked == 0
    assert state(order) == (PaymentStatus.PENDING, 1)


def test_an_open_session_leaves_its_order_as_it_is(stripe, shopper, bell):
    order = bought(shopper, bell)
    age(order, minutes=11)

    assert run().orders_changed == 0
    assert state(order) == (PaymentStatus.PENDING, 1)


def test_an_order_is_asked_for_again_when_a_tenth_of_its_life_has_gone_by(stripe, shopper, bell):
    order = bought(shopper, bell)
    age(order, minutes=20)

    assert run().orders_asked == 1
    assert run().orders_asked == 0
    Order.objects.update(checked_at=F("checked_at") - timedelta(minutes=1, seconds=50))
    assert run().orders_asked == 0
    Order.objects.update(checked_at=F("checked_at") - timedelta(seconds=15))
    assert run().orders_asked == 1


def test_whoever_waits_longest_is_asked_for_first_when_the_time_is_short(stripe, shopper, bell):
    orders = [factories.order(None, (bell, 1)) for _ in range(3)]
    for order, minutes in zip(orders, (None, 5, 30), strict=True):
        asked = minutes and timezone.now() - timedelta(minutes=minutes)
        Order.objects.filter(pk=order.pk).update(checked_at=asked)
        age(order, hours=1)

    never, lately, long_ago = (order.pk for order in orders)
    in_doubt = Order.objects.in_doubt(reconcile.OLD_ENOUGH, every=True)
    assert list(in_doubt.values_list("pk", flat=True)) == [never, long_ago, lately]


def test_a_session_that_has_expired_unheard_frees_the_stock(stripe, shopper, bell):
    order = bought(shopper, bell)
    stripe.client().v1.checkout.sessions.expire(order.stripe_session_id)
    age(order, minutes=35)

    run()
    assert state(order) == (PaymentStatus.EXPIRED, 2)
    bell.refresh_from_db()
    assert (bell.stock, bell.held) == (9, 0)


def test_an_order_that_never_got_as_far_as_stripe_is_ended_when_its_time_is_over(stripe, bell):
    order = factories.order(None, (bell, 2))
    age(order, hours=1)
    assert run().orders_changed == 0, "it may still be paid"

    Order.objects.update(checkout_expires_at=timezone.now() - timedelta(seconds=1))
    run(every_order=True)
    assert state(order) == (PaymentStatus.EXPIRED, 2)
    assert Product.objects.get().held == 0


def test_a_session_that_stripe_does_not_know_ends_its_order(stripe, bell, caplog):
    order = factories.order(None, (bell, 2))
    Order.objects.update(stripe_session_id="cs_test_of_another_account")
    age(order, hours=1)

    run()
    assert state(order) == (PaymentStatus.EXPIRED, 2)
    assert "does not know" in caplog.text


@pytest.mark.parametrize(
    ("iban", "end"),
    [
        ("AT611904300234573201", PaymentStatus.PAID),
        ("AT861904300235473202", PaymentStatus.FAILED),
    ],
)
def test_a_bank_debit_is_followed_to_its_end(unheard, shopper, bell, iban, end):
    order = paid_at_stripe(unheard, bought(shopper, bell), method="debit", iban=iban)
    eventually(
        lambda: (
            {"checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"}
            & set(unheard.event_types())
        )
    )
    age(order, minutes=11)

    async_to_sync(Reconciler().open_orders)()
    assert state(order)[0] == end
    assert last_change(order).source == Source.RECONCILER
    bell.refresh_from_db()
    assert (bell.stock, bell.held) == ((7, 0) if end == PaymentStatus.PAID else (9, 0))


def test_a_wish_to_cancel_that_stripe_did_not_hear_is_repeated(stripe, shopper, bell):
    order = bought(shopper, bell)
    order.checkout.ask_to_cancel(source=Source.SHOPPER)

    run()
    assert state(order) == (PaymentStatus.CANCELLED, 3)
    assert last_change(order).source == Source.SHOPPER
    assert session(stripe, order).status == "expired"


def test_a_wish_to_cancel_is_forgotten_when_its_shopper_goes_to_pay_after_all(stripe, shopper, bell):
    order = bought(shopper, bell)
    order.checkout.ask_to_cancel(source=Source.SHOPPER)
    assert bought(shopper, bell) == order

    assert run().orders_asked == 0
    paid_at_stripe(stripe, order)
    age(order, minutes=11)
    run()
    assert state(order) == (PaymentStatus.PAID, 4)


def test_a_payment_that_was_faster_than_the_wish_to_cancel_counts(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    order.checkout.ask_to_cancel(source=Source.SHOPPER)

    run()
    assert state(order) == (PaymentStatus.PAID, 3)


@pytest.mark.django_db(transaction=True)
def test_an_order_that_cannot_be_brought_up_to_date_keeps_no_other_from_it(stripe, shopper, bell, caplog):
    bad, good = (paid_at_stripe(stripe, bought(shopper, factories.product())) for _ in range(2))
    twin = factories.order(None, (bell, 1))  # has the payment that the first one should get
    Order.objects.filter(pk=twin.pk).update(payment_intent_id=session(stripe, bad).payment_intent)
    age(bad, minutes=12)
    age(good, minutes=11)

    summary = run()
    assert (summary.failed, summary.orders_changed) == (1, 1)
    assert (state(bad)[0], state(good)[0]) == (PaymentStatus.PENDING, PaymentStatus.PAID)
    assert run().orders_asked == 0, "it has had its turn"
    assert f"order {bad.pk}" in caplog.text


def test_an_order_that_got_a_new_session_does_not_end_with_its_lost_one(stripe, shopper, bell):
    order = bought(shopper, bell)
    assert checkout.forsake(order, "cs_test_lost", Source.RECONCILER) is False
    assert state(order) == (PaymentStatus.PENDING, 1)


def test_what_staff_want_cancelled_is_not_paid_after_all(stripe, shopper, bell):
    order = bought(shopper, bell)
    order.checkout.ask_to_cancel(source=Source.STAFF)

    assert shopper.post(f"/orders/{order.public_id}/pay/")["Location"] == order.get_absolute_url()
    assert state(order) == (PaymentStatus.CANCELLED, 3)
    assert session(stripe, order).status == "expired"


# --- events that Stripe could not deliver -----------------------------------------------------------


def test_with_webhooks_off_every_paid_session_is_a_paid_order_after_one_run(unheard, shopper, bell):
    orders = [paid_at_stripe(unheard, bought(shopper, factories.product())) for _ in range(3)]

    summary = run()
    assert [state(order)[0] for order in orders] == [PaymentStatus.PAID] * 3
    assert (summary.events_applied, summary.orders_asked) == (3, 0)


def test_a_delivery_that_comes_after_all_is_a_repeated_one(unheard, shopper, bell, deliver):
    order = paid_at_stripe(unheard, bought(shopper, bell))
    run()
    [event] = unheard.client().v1.events.list({"type": "checkout.session.completed"}).data

    assert deliver(event.to_dict()).status_code == 200
    assert state(order) == (PaymentStatus.PAID, 2)
    stored = StripeEvent.objects.get(pk=event.id)
    assert (stored.outcome, stored.attempts) == (Outcome.APPLIED, 1)


def test_what_was_delivered_before_is_not_fetched_again(unheard, shopper, bell):
    order = paid_at_stripe(unheard, bought(shopper, bell))
    run()
    before = StripeEvent.objects.values_list("pk", "attempts", "outcome")
    kept = set(before)

    assert run().events_applied == 0
    assert state(order) == (PaymentStatus.PAID, 2)
    assert set(before.all()) == kept


def test_more_events_than_fit_on_a_page_are_all_fetched(unheard, shopper, bell, monkeypatch):
    orders = [paid_at_stripe(unheard, bought(shopper, factories.product())) for _ in range(4)]
    monkeypatch.setattr(reconcile, "PER_PAGE", 2)

    run()
    assert {state(order)[0] for order in orders} == {PaymentStatus.PAID}


def test_an_event_that_cannot_be_applied_keeps_no_other_from_it(unheard, shopper, bell, monkeypatch):
    broken, sound = (paid_at_stripe(unheard, bought(shopper, factories.product())) for _ in range(2))
    twin = factories.order(None, (bell, 1))  # has the payment that the first one should get
    intent = unheard.client().v1.checkout.sessions.retrieve(broken.stripe_session_id).payment_intent
    Order.objects.filter(pk=twin.pk).update(payment_intent_id=intent)

    summary = run()
    assert summary.failed == 1
    assert state(sound)[0] == PaymentStatus.PAID
    assert StripeEvent.objects.filter(outcome=Outcome.FAILED).count() == 1


def test_an_undelivered_event_that_finds_no_order_waits_for_its_next_try_like_any_other(unheard, shopper):
    order = paid_at_stripe(unheard, bought(shopper, factories.product()))
    Order.objects.filter(pk=order.pk).update(public_id="6f9619ff-8b86-4011-b42d-00c04fc964ff")
    for _ in range(3):
        run()

    stored = StripeEvent.objects.get(type="checkout.session.completed")
    assert (stored.outcome, stored.tries) == (Outcome.UNMATCHED, 1)


def test_events_without_end_leave_half_of_the_time_to_what_comes_after(unheard, shopper, bell, monkeypatch):
    orders = [paid_at_stripe(unheard, bought(shopper, factories.product())) for _ in range(3)]
    monkeypatch.setattr(reconcile, "PER_PAGE", 1)
    monkeypatch.setattr(Patience, "halfway", lambda patience: 0.0)

    assert run().events_fetched == 1
    assert sum(state(order)[0] == PaymentStatus.PAID for order in orders) == 1


# --- events that are in the inbox and came to nothing -----------------------------------------------


def waited(minutes):
    StripeEvent.objects.update(retry_at=F("retry_at") - timedelta(minutes=minutes))


def test_a_stored_event_is_tried_again_with_growing_gaps_and_given_up_loudly(stripe, deliver, caplog):
    order = factories.order()
    event = stripe_events.completed(order, client_reference_id="6f9619ff-8b86-4011-b42d-00c04fc964ff")
    deliver(event)
    gaps = []
    for _ in range(MOST_EVENT_RETRIES):
        retry_at = StripeEvent.objects.get().retry_at
        assert retry_at is not None
        gaps.append(round((retry_at - timezone.now()).total_seconds() / 60))
        assert run().events_retried == 0, "its time has not come"
        waited(minutes=gaps[-1] + 1)
        assert run().events_retried == 1

    assert gaps == [2**tries for tries in range(MOST_EVENT_RETRIES)]
    assert StripeEvent.objects.get().retry_at is None
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1
    assert event["id"] in caplog.text


def test_an_event_that_came_before_its_order_is_applied_when_the_order_is_there(stripe, deliver):
    order = factories.order()
    event = stripe_events.completed(order)
    public_id = order.public_id
    Order.objects.update(public_id="6f9619ff-8b86-4011-b42d-00c04fc964ff")
    deliver(event)
    Order.objects.update(public_id=public_id)
    waited(minutes=2)

    run()
    assert state(order) == (PaymentStatus.PAID, 2)
    assert StripeEvent.objects.get().outcome == Outcome.APPLIED
    assert StripeEvent.objects.get().attempts == 1, "Stripe delivered it once"


def test_an_event_that_stripe_itself_sends_in_vain_is_given_up_as_loudly(deliver, caplog):
    event = stripe_events.completed(factories.order(), client_reference_id=None)
    for _ in range(MOST_EVENT_RETRIES + 1):
        assert deliver(event).status_code == 200
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1


# --- refunds whose answer never came ----------------------------------------------------------------


def requested(order, amount):
    return Refund.objects.request(order, amount, reason="", note="", who_id=None)


def a_minute_ago():
    Refund.objects.update(created_at=F("created_at") - timedelta(minutes=2))


@pytest.fixture
def paid(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=11)
    run()
    order.refresh_from_db()
    return order


def refunds_at(stripe, order):
    return stripe.client().v1.refunds.list({"payment_intent": order.payment_intent_id}).data


def test_a_refund_that_never_reached_stripe_is_made(stripe, paid):
    refund = requested(paid, 500)
    run()
    assert refunds_at(stripe, paid) == [], "whoever asked for it may still be asking"

    a_minute_ago()
    assert run().refunds_asked == 1
    refund.refresh_from_db()
    assert (refund.status, refund.amount) == (RefundStatus.SUCCEEDED, 500)
    assert [made.amount for made in refunds_at(stripe, paid)] == [500]


def test_a_refund_that_stripe_made_unheard_and_has_forgotten_the_key_of_is_not_made_twice(stripe, paid):
    refund = requested(paid, 500)
    stripe.client().v1.refunds.create(
        {
            "payment_intent": paid.payment_intent_id,
            "amount": 500,
            "metadata": {"refund": str(refund.public_id)},
        }
    )
    a_minute_ago()

    run()
    refund.refresh_from_db()
    paid.refresh_from_db()
    assert (refund.status, paid.refunded_amount) == (RefundStatus.SUCCEEDED, 500)
    assert len(refunds_at(stripe, paid)) == 1


# --- Stripe busy, or away ---------------------------------------------------------------------------


def test_when_stripe_says_too_many_everybody_keeps_still_and_nothing_is_lost(
    line, stripe, shopper, bell, monkeypatch
):
    monkeypatch.setattr(patience, "WAITS", (0.01,) * 5)
    orders = [paid_at_stripe(stripe, bought(shopper, factories.product())) for _ in range(3)]
    Order.objects.update(placed_at=F("placed_at") - timedelta(minutes=11))
    line.next_come(*[429] * 4)

    summary = run()
    assert {state(order)[0] for order in orders} == {PaymentStatus.PAID}
    assert (summary.unanswered, summary.stopped) == (0, "")


def test_a_stripe_that_goes_on_saying_too_many_is_left_alone_until_the_next_run(
    line, stripe, shopper, bell, monkeypatch
):
    monkeypatch.setattr(patience, "WAITS", (0.01,) * 2)
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=11)
    line.next_come(*[429] * 2)

    assert "no more requests" in run().stopped
    assert state(order) == (PaymentStatus.PENDING, 1)
    run()
    assert state(order)[0] == PaymentStatus.PAID


def test_a_stripe_that_is_away_is_not_asked_for_every_order(line, stripe, shopper, bell):
    orders = [bought(shopper, factories.product()) for _ in range(30)]
    Order.objects.update(placed_at=F("placed_at") - timedelta(minutes=11))
    line.next_come(*[503] * 200)

    summary = run()
    assert summary.stopped == "Stripe does not answer."
    assert summary.orders_asked < 15
    assert {state(order) for order in orders} == {(PaymentStatus.PENDING, 1)}


def test_a_run_ends_when_its_time_is_over(stripe, shopper, bell):
    order = paid_at_stripe(stripe, bought(shopper, bell))
    age(order, minutes=11)

    async def late():
        return await Reconciler(patience=Patience(until=asyncio.get_running_loop().time() - 1)).run()

    assert "time is over" in async_to_sync(late)().stopped
    assert state(order) == (PaymentStatus.PENDING, 1)


# --- by hand ----------------------------------------------------------------------------------------


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
