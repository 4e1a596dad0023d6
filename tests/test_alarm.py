"""The silence alarm: it rises when Stripe's webhooks no longer come or cannot be applied, and only then."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from shop import tasks
from shop.alarm import Watch, alarm, silence
from shop.models import Order, OrderChange, Outcome, Source, StripeEvent
from tests import factories
from tests.local_stripe import KEY, LocalStripe, free_port
from tests.stripe_events import completed, event, refund
from tests.worker import work

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _errors_are_answers(client):
    """As Stripe sees them."""
    client.raise_request_exception = False


def at_stripe(**fields):
    """An order whose shopper is on Stripe's page."""
    order = factories.order()
    Order.objects.filter(pk=order.pk).update(stripe_session_id=f"cs_{order.public_id.hex}", **fields)
    order.refresh_from_db()
    return order


def pass_time(**by):
    """Everything in the database is that much older."""
    ago = timedelta(**by)
    for model, *names in (
        (Order, "placed_at", "updated_at", "checkout_expires_at", "paid_at"),
        (OrderChange, "at"),
        (StripeEvent, "received_at", "last_received_at"),
    ):
        model.objects.update(**{name: F(name) - ago for name in names})


def found_by(source, order=None):
    order = order or at_stripe()
    order.mark_paid(payment_intent_id=f"pi_{order.public_id.hex}", email="ada@example.com", source=source)
    return order


def word_of_a_checkout():
    """The webhook of somebody else's checkout."""
    return completed(at_stripe())


def word_of_something_else(_order):
    return event("customer.created", {"object": "customer"})


def word_of_its_refund(order):
    return event("refund.created", refund(order, 500))


def kinds():
    return [trouble.kind for trouble in alarm()["alarm"]]


# --- silence --------------------------------------------------------------------------------------


def test_a_new_shop_is_well():
    assert silence().troubles == ()
    assert not silence().suspicious


def test_a_quiet_shop_where_nobody_pays_is_well_but_worth_asking_stripe_about():
    at_stripe()
    assert not silence().suspicious, "she has only just gone there"
    pass_time(minutes=5)

    assert silence().troubles == ()
    assert silence().suspicious


def test_while_webhooks_come_an_open_checkout_is_not_suspicious(deliver):
    at_stripe()
    pass_time(minutes=5)
    deliver(word_of_a_checkout())

    assert not silence().suspicious


@pytest.mark.parametrize("source", [Source.RETURN_PAGE, Source.RECONCILER])
def test_a_payment_that_the_shop_had_to_ask_for_raises_it_after_some_minutes(source, settings):
    found_by(source)
    assert not kinds(), "its webhook may be on its way"

    pass_time(minutes=settings.WEBHOOK_SILENCE_MINUTES, seconds=1)
    assert kinds() == ["silence"]
    assert "find out about 1 order by asking Stripe" in alarm()["alarm"][0].words


def test_it_says_since_when(deliver):
    deliver(word_of_a_checkout())
    pass_time(minutes=10)
    found_by(Source.RETURN_PAGE)
    pass_time(minutes=10)

    assert alarm()["alarm"][0].since == StripeEvent.objects.get().last_received_at


@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.REPLAY, Source.STAFF])
def test_what_a_webhook_or_staff_did_does_not_raise_it(source):
    found_by(source)
    pass_time(minutes=10)

    assert not kinds()


def test_any_delivery_about_a_checkout_ends_it(deliver):
    found_by(Source.RETURN_PAGE)
    pass_time(minutes=10)
    assert kinds()

    assert deliver(word_of_a_checkout()).status_code == 200
    assert not kinds()


@pytest.mark.parametrize("word", [word_of_something_else, word_of_its_refund])
def test_an_endpoint_that_tells_of_everything_but_checkouts_is_noticed(deliver, word):
    order = found_by(Source.RETURN_PAGE)
    pass_time(minutes=10)

    assert deliver(word(order)).status_code == 200
    assert kinds() == ["silence"]
    assert "webhooks about checkouts do not arrive" in alarm()["alarm"][0].words


def test_a_checkout_that_stays_open_is_suspicious_although_other_webhooks_come(deliver):
    order = at_stripe()
    pass_time(minutes=5)
    deliver(word_of_something_else(order))

    assert silence().suspicious


def test_what_staff_do_later_with_such_an_order_does_not_raise_it_again(deliver):
    order = found_by(Source.RETURN_PAGE)
    pass_time(minutes=10)
    deliver(word_of_a_checkout())
    order.flag("Look at it.", source=Source.STAFF)
    pass_time(minutes=10)

    assert not kinds()


def test_a_repeated_delivery_ends_it_too(deliver):
    old = completed(at_stripe())
    deliver(old)
    pass_time(minutes=30)
    found_by(Source.RETURN_PAGE)
    pass_time(minutes=10)
    assert kinds()

    deliver(old)
    assert not kinds()


def test_an_event_that_the_shop_fetched_itself_does_not_end_it():
    found_by(Source.RECONCILER)
    pass_time(minutes=10)
    StripeEvent.objects.receive("evt_fetched", "checkout.session.completed", 1, "{}", delivered=False)

    assert kinds() == ["silence"]


def test_a_webhook_that_came_while_the_return_page_was_at_it_is_no_silence(deliver):
    order = at_stripe()
    deliver(completed(order))
    # The other way round in the same second: it waited for the lock that the return page had.
    OrderChange.objects.filter(order=order, what="payment_status").update(source=Source.RETURN_PAGE)
    StripeEvent.objects.update(last_received_at=F("last_received_at") - timedelta(seconds=2))
    pass_time(minutes=10)

    assert not kinds()


def test_an_event_that_was_delivered_and_applied_at_a_later_try_is_no_silence(deliver):
    order = at_stripe()
    deliver(completed(order))
    StripeEvent.objects.update(tries=1)
    pass_time(minutes=2)
    OrderChange.objects.filter(order=order, what="payment_status").update(
        source=Source.RECONCILER, at=F("at") + timedelta(minutes=2)
    )
    pass_time(minutes=10)

    assert not kinds()


def test_a_checkout_whose_time_is_over_without_a_word_raises_it(settings):
    order = at_stripe()
    pass_time(minutes=35)
    assert order.checkout_expires_at
    assert kinds() == ["silence"]
    assert "nobody has said how 1 checkout ended" in alarm()["alarm"][0].words


def test_a_checkout_whose_payment_is_held_for_staff_is_not_waited_for(deliver):
    order = at_stripe()
    deliver(completed(order, amount_total=order.amount_total + 1))
    order.refresh_from_db()
    assert order.needs_attention

    pass_time(minutes=35)

    assert not kinds()


def test_what_was_a_day_ago_is_history():
    found_by(Source.RETURN_PAGE)
    pass_time(hours=25)

    assert not kinds()


# --- failed events --------------------------------------------------------------------------------


@pytest.fixture
def failed(deliver):
    """An event that cannot be applied."""
    odd = event("refund.updated", refund(factories.paid_order(), 500, status="evaporated"))
    deliver(odd)
    return StripeEvent.objects.get(pk=odd["id"])


def test_a_failed_event_raises_it_at_once_and_its_end_ends_it(failed):
    assert kinds() == ["failed"]
    assert alarm()["alarm"][0].since == failed.received_at

    StripeEvent.objects.settle(failed.pk, Outcome.APPLIED, None)
    assert not kinds()


def test_a_failed_event_that_was_given_up_is_somebodys_business_for_three_days(failed):
    StripeEvent.objects.update(retry_at=None)
    assert kinds() == ["given_up"]

    pass_time(days=4)
    assert not kinds()


def test_what_is_tried_again_and_what_was_given_up_is_counted_apart_and_said_so(failed, deliver, client):
    client.force_login(factories.staff())
    StripeEvent.objects.update(retry_at=None)
    pass_time(hours=20)
    for _ in range(2):
        deliver(event("refund.updated", refund(factories.paid_order(), 500, status="evaporated")))

    waiting, given_up = alarm()["alarm"]
    assert (waiting.kind, given_up.kind) == ("failed", "given_up")
    assert waiting.words == "2 events from Stripe could not be applied and wait."
    assert given_up.words == "1 event from Stripe could not be applied, again and again."
    assert given_up.since == StripeEvent.objects.get(pk=failed.pk).received_at
    assert waiting.since > given_up.since

    shown = client.get("/dashboard/webhooks/").text
    [_, by_itself, by_hand] = shown.split("data-trouble-kind=")
    assert ("tried again by itself" in by_itself, "Given up: replay it or look" in by_itself) == (True, False)
    assert ("tried again by itself" in by_hand, "Given up: replay it or look" in by_hand) == (False, True)


def test_an_event_without_its_order_raises_it_only_when_that_did_not_come_later(deliver):
    stray = completed(factories.order())
    Order.objects.all().delete()
    deliver(stray)
    assert not kinds()

    deliver(stray)
    assert kinds() == ["failed"]


# --- who is told ----------------------------------------------------------------------------------


def test_the_log_says_when_it_rises_and_when_it_is_over_and_not_each_minute(deliver, caplog):
    caplog.set_level(logging.INFO, logger="shop.alarm")
    watch = Watch()
    watch.look()
    assert not caplog.messages

    found_by(Source.RETURN_PAGE)
    pass_time(minutes=10)
    for _minute in range(3):
        watch.look()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "do not arrive" in caplog.text

    deliver(word_of_a_checkout())
    watch.look()
    watch.look()
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


@pytest.fixture
def unheard(tmp_path, settings):
    """The local Stripe whose webhooks reach nobody, with the shop talking to it."""
    hook = f"http://127.0.0.1:{free_port()}/stripe-webhook/|{settings.STRIPE_WEBHOOK_SECRETS[0]}"
    with LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=hook) as local:
        settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = local.url, KEY
        yield local


@pytest.mark.django_db(transaction=True)
def test_while_it_lasts_the_worker_asks_stripe_for_the_youngest_order(unheard, shopper, bell, caplog):
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    found_by(Source.RETURN_PAGE, factories.order())
    Order.objects.update(stripe_session_id="cs_found")
    pass_time(minutes=10)
    shopper.get("/")
    shopper.post("/checkout/", {f"quantity-{bell.slug}": 1})
    young = Order.objects.latest("pk")
    asked = young.placed_at + timedelta(days=1)  # so its turn would be tomorrow
    Order.objects.filter(pk=young.pk).update(checked_at=asked)

    tasks.reconcile.configure().defer(timestamp=0)
    work()
    young.refresh_from_db()
    assert young.checked_at is not None
    assert young.checked_at < asked
    assert "Webhook alarm: Stripe’s webhooks about checkouts do not arrive" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_an_alarm_that_cannot_be_read_keeps_nobody_from_asking_stripe(
    unheard, shopper, bell, settings, caplog
):
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    shopper.get("/")
    shopper.post("/checkout/", {f"quantity-{bell.slug}": 1})
    pass_time(minutes=11)
    settings.WEBHOOK_SILENCE_MINUTES = 10**12

    tasks.reconcile.configure().defer(timestamp=0)
    work()
    assert Order.objects.get().checked_at is not None
    assert "alarm could not be read: DataError" in caplog.text


# --- what it costs --------------------------------------------------------------------------------


def test_it_is_one_statement():
    with CaptureQueriesContext(connection) as queries:
        alarm()
    assert len(queries) == 1
