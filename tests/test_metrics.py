"""/metrics: what monitoring reads, and who may."""

import re
from datetime import timedelta
from io import StringIO
from ipaddress import ip_network

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.jobs import Status
from prometheus_client.parser import text_string_to_metric_families

from project.settings import BASE_DIR
from shop import flight, tasks
from shop.dashboard.checkouts import open_checkouts
from shop.models import Order, RefusedDelivery, StripeEvent
from tests import factories
from tests.local_stripe import eventually
from tests.stripe_events import completed, event, refund
from tests.test_alarm import found_by, pass_time
from tests.test_worker import begun_by_a_worker
from tests.worker import work

pytestmark = pytest.mark.django_db


def scrape(address="127.0.0.1"):
    return Client(REMOTE_ADDR=address).get("/metrics")


def values():
    """Name and label's value → value."""
    response = scrape()
    assert response.status_code == 200
    samples = [
        sample for family in text_string_to_metric_families(response.text) for sample in family.samples
    ]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_a_new_shop_has_its_zeros():
    read = values()
    assert read["shopbell_webhook_alarm", "silence"] == 0
    assert read["shopbell_webhook_alarm", "failed"] == 0
    assert read["shopbell_webhook_alarm", "given_up"] == 0
    assert read["shopbell_webhook_events", "applied"] == 0
    assert read["shopbell_webhook_events_waiting",] == 0
    assert read["shopbell_open_checkouts",] == 0


def test_it_says_what_came_of_webhooks(client, deliver):
    client.raise_request_exception = False
    deliver(completed(factories.order()))
    deliver(event("customer.created", {"object": "customer"}))
    deliver(event("refund.updated", refund(factories.paid_order(), 500, status="evaporated")))

    read = values()
    outcomes = ("applied", "ignored", "failed", "unmatched")
    assert [read["shopbell_webhook_events", outcome] for outcome in outcomes] == [1, 1, 1, 0]
    assert read["shopbell_webhook_events_waiting",] == 1
    assert read["shopbell_webhook_alarm", "failed"] == 1

    StripeEvent.objects.filter(outcome="failed").delete()
    assert values()["shopbell_webhook_alarm", "failed"] == 0


def test_it_says_when_webhooks_no_longer_come():
    order = found_by("return_page")
    pass_time(minutes=10)
    assert values()["shopbell_webhook_alarm", "silence"] == 1

    order.delete()
    assert values()["shopbell_webhook_alarm", "silence"] == 0


@pytest.mark.django_db(transaction=True)
def test_it_counts_what_was_refused_and_why(client, monkeypatch):
    monkeypatch.setattr(flight, "recorder", flight.Recorder(interval=0.01))
    for _ in range(2):
        client.post("/stripe-webhook/", "{}", content_type="application/json")

    name = "shopbell_webhook_refused_total", "The signature does not match."
    assert eventually(lambda: values().get(name) == 2)


def test_it_counts_open_checkouts_as_the_dashboard_does():
    Order.objects.filter(pk=factories.order().pk).update(stripe_session_id="cs_1")
    factories.order()
    over = factories.order()
    Order.objects.filter(pk=over.pk).update(checkout_expires_at=Now() - timedelta(hours=1))
    factories.paid_order()

    assert values()["shopbell_open_checkouts",] == open_checkouts()["count"] == 3


@pytest.mark.django_db(transaction=True)
def test_it_says_how_long_the_workers_queue_is():
    before = values()["shopbell_jobs", "todo"]
    tasks.look_up_refunds.configure().defer(order_id=1)
    assert values()["shopbell_jobs", "todo"] == before + 1


def give_up_a_job():
    job = begun_by_a_worker(tasks.look_up_refunds.configure().defer(order_id=1))
    async_to_sync(app.job_manager.finish_job_by_id_async)(job.id, Status.FAILED, delete_job=False)


@pytest.mark.django_db(transaction=True)
def test_it_counts_jobs_that_were_given_up_in_the_last_hour_though_older_ones_are_deleted_meanwhile():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
        assert values()["shopbell_jobs_given_up",] == 0
        give_up_a_job()
        assert values()["shopbell_jobs_given_up",] == 1
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '31 days'")
    assert values()["shopbell_jobs_given_up",] == 0

    give_up_a_job()
    tasks.forget_what_is_over.configure().defer(timestamp=0)
    work()
    read = values()
    assert read["shopbell_jobs", "failed"] == 1, "the older one is gone"
    assert read["shopbell_jobs_given_up",] == 1


@pytest.mark.django_db(transaction=True)
def test_it_says_for_how_long_the_oldest_job_has_waited():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    assert values()["shopbell_jobs_oldest_seconds",] == 0

    tasks.look_up_refunds.configure(schedule_in={"hours": 1}).defer(order_id=1)
    assert values()["shopbell_jobs_oldest_seconds",] == 0, "its time has not come"
    tasks.look_up_refunds.configure().defer(order_id=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '1 hour'")
    assert 3600 <= values()["shopbell_jobs_oldest_seconds",] < 3700


@pytest.mark.django_db(transaction=True)
def test_it_says_what_the_reconciler_did_and_when(stripe, shopper, bell):
    assert values()["shopbell_reconciler_rounds_total",] == 0
    assert ("shopbell_reconciler_age_seconds",) not in values()
    shopper.get("/")
    shopper.post("/checkout/", {f"quantity-{bell.slug}": 1})
    stripe.pay(stripe.client().v1.checkout.sessions.retrieve(Order.objects.get().stripe_session_id or ""))

    call_command("reconcile", "--older-than=0", stdout=StringIO())
    read = values()
    assert read["shopbell_reconciler_rounds_total",] == 1
    assert read["shopbell_reconciler_orders_asked_total",] == 1
    assert read["shopbell_reconciler_mended_total", "orders"] == 1
    assert 0 <= read["shopbell_reconciler_age_seconds",] < 60

    call_command("reconcile", "--dry-run", stdout=StringIO())
    assert values()["shopbell_reconciler_rounds_total",] == 1
    call_command("reconcile", stdout=StringIO())
    assert values()["shopbell_reconciler_rounds_total",] == 2


@pytest.mark.django_db(transaction=True)
def test_a_process_speaks_for_itself_while_the_database_does_not_answer():
    assert values()["shopbell_database_up",] == 1
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE shop_stripeevent RENAME TO elsewhere")
        try:
            read = values()
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO shop_stripeevent")

    assert read["shopbell_database_up",] == 0
    assert read["shopbell_sockets_open",] == 0
    assert read["shopbell_database_connections", "used"] >= 1
    assert ("shopbell_webhook_alarm", "silence") not in read


def test_it_is_written_as_prometheus_reads_it():
    families = list(text_string_to_metric_families(scrape().text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    for family in families:
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert family.name.startswith(("shopbell_", "process_"))
        for sample in family.samples:
            assert family.type != "counter" or sample.name.endswith(("_total", "_created")), sample.name
    ours = [name for name in names if name.startswith("shopbell_")]
    assert not [name for name in ours if re.search("_(ms|milliseconds|minutes|kb|mb)(_|$)", name)]


@pytest.fixture
def told(stripe, transactional_db):
    """The names of all numbers that there may be."""
    RefusedDelivery.objects.create(reason="The body is not JSON.", hour=timezone.now(), count=1)
    call_command("reconcile", stdout=StringIO())
    return {name for name, *_labels in values() if name.startswith("shopbell_")}


def family(name):
    return re.sub("_(bucket|sum|count)$", "", name)


def test_no_alert_waits_for_a_number_that_nobody_tells(told):
    named = set(re.findall(r"\bshopbell_\w+", (BASE_DIR / "deploy/alerts.yml").read_text()))
    assert named
    assert named <= told


def test_each_number_is_written_about_and_no_other(told):
    manual = (BASE_DIR / "docs/operations.md").read_text()
    named = set()
    for heading in ("/metrics", "What to watch, what to do when"):
        section = manual.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        named |= set(re.findall(r"\bshopbell_\w+", section))
    assert {family(name) for name in named} == {family(name) for name in told}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_may_read_it(address):
    assert scrape(address).status_code == 200


@pytest.mark.parametrize("address", ["192.0.2.1", "", "2001:db8::1", "nonsense"])
def test_for_others_there_is_no_such_page(address):
    assert scrape(address).status_code == 404


def test_a_network_may_be_let_in(settings):
    settings.METRICS_ALLOWED = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
    assert scrape("192.0.2.77").status_code == 200
    assert scrape("2001:db8::7").status_code == 200
    assert scrape("192.0.3.1").status_code == 404


def test_it_is_not_sent_to_tls(settings):
    settings.SECURE_SSL_REDIRECT = True
    assert scrape().status_code == 200
