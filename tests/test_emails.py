"""E-mails about orders: each change brings one, whatever dies on the way."""

import os
import signal
import subprocess
import sys
from functools import partial
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction
from django.db.models import F

from sandbox.environment import ROOT
from shop import emails, jobs
from shop.models import OrderEmail, PaymentStatus, Source
from shop.models.emails import MOST_EMAIL_TRIES
from tests import factories, stripe_events
from tests.mail_server import MailServer
from tests.worker import waiting, work

pytestmark = pytest.mark.django_db(transaction=True)

ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    """One that has not called the worker yet."""
    monkeypatch.setattr(jobs, "_called_at", float("-inf"))


@pytest.fixture
def order():
    return factories.order()


@pytest.fixture
def server(settings):
    with MailServer() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        yield running


def time_goes_by():
    """Until everything that waits is due again."""
    OrderEmail.objects.filter(sent_at=None, due_at__isnull=False).update(due_at=F("created_at"))


# --- once -----------------------------------------------------------------------------------------


def test_a_payment_brings_one_email_as_soon_as_it_is_committed(order, deliver, mailoutbox):
    assert deliver(stripe_events.completed(order)).status_code == 200
    assert waiting("send_order_emails") == 1
    work()

    [letter] = mailoutbox
    assert letter.to == [ADA]
    assert letter.subject == f"Order {order.number} is paid"
    assert OrderEmail.objects.get().sent_at is not None


def test_what_is_rolled_back_brings_none(order, mailoutbox):
    with transaction.atomic():
        order.mark_paid(payment_intent_id="pi_1", email=ADA, source=Source.WEBHOOK)
        transaction.set_rollback(True)
    work()

    assert not OrderEmail.objects.exists()
    assert waiting("send_order_emails") == 0
    assert mailoutbox == []


def test_a_repeated_webhook_brings_no_second_one(order, deliver, mailoutbox):
    event = stripe_events.completed(order)
    for again in (event, event, stripe_events.completed(order)):
        assert deliver(again).status_code == 200
        work()

    assert len(mailoutbox) == 1


def test_workers_at_the_same_moment_send_each_email_once(at_once, mailoutbox):
    for number in range(6):
        factories.order().mark_paid(payment_intent_id=f"pi_{number}", email=ADA, source=Source.WEBHOOK)

    at_once([emails.send_due] * 4)

    assert len({letter.extra_headers["Message-ID"] for letter in mailoutbox}) == len(mailoutbox) == 6


def test_an_order_without_an_address_brings_none(order, deliver, mailoutbox):
    deliver(stripe_events.completed(order, customer_details=None))
    work()

    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID
    assert not OrderEmail.objects.exists()
    assert mailoutbox == []


@pytest.mark.parametrize("address", ["ada", "ada@", "ada@example.com, eve@example.com", "<ada@example.com"])
def test_an_address_that_is_none_is_not_tried_for_days(order, deliver, mailoutbox, address):
    deliver(stripe_events.completed(order, customer_details={"email": address}))
    work()

    assert not OrderEmail.objects.exists()
    assert mailoutbox == []


# --- through trouble ------------------------------------------------------------------------------


def test_a_mail_server_that_refuses_gets_it_later(order, deliver, server, caplog):
    server.answers = [f"451 {ADA} must wait"]
    deliver(stripe_events.completed(order))
    work()
    assert (server.letters, OrderEmail.objects.get().sent_at) == ([], None)
    assert "again later: SMTPDataError" in caplog.text
    assert ADA not in caplog.text

    work()
    assert server.letters == [], "not at once"
    time_goes_by()
    emails.send_due()

    [letter] = server.letters
    assert letter["To"] == ADA


def test_one_that_fails_keeps_no_other_waiting(order, deliver, server):
    other = factories.order()
    server.answers = ["451 not now"]
    for each in (order, other):
        deliver(stripe_events.completed(each))
    work()

    [letter] = server.letters
    assert other.number in letter["Subject"]


def test_what_fails_for_days_is_given_up_and_said_loudly(order, deliver, server, caplog):
    server.answers = ["451 not now"] * 99
    deliver(stripe_events.completed(order))
    for _ in range(MOST_EMAIL_TRIES + 3):
        time_goes_by()
        emails.send_due()

    email = OrderEmail.objects.get()
    assert (email.tries, email.due_at, email.sent_at) == (MOST_EMAIL_TRIES, None, None)
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1


def test_a_server_that_hangs_up_badly_has_it_all_the_same(order, deliver, server):
    server.answers = [f"250 OK\r\n221 {'bye ' * 3000}"]  # a line that no client reads to its end
    deliver(stripe_events.completed(order))
    work()
    time_goes_by()
    emails.send_due()

    assert len(server.letters) == 1


def test_a_worker_killed_before_it_could_write_down_that_it_sent_it_sends_the_same_again(
    order, deliver, server
):
    deliver(stripe_events.completed(order))
    worker = a_process_that_sends(server)
    server.on_letter = partial(worker.send_signal, signal.SIGKILL)
    output, _ = worker.communicate(timeout=60)
    assert worker.returncode == -signal.SIGKILL, output
    assert OrderEmail.objects.get().sent_at is None

    server.on_letter = lambda: None
    emails.send_due()
    assert len(server.letters) == 1, "whoever had it may be alive"
    time_goes_by()
    emails.send_due()

    first, second = server.letters
    assert first["Message-ID"] == second["Message-ID"]
    assert OrderEmail.objects.get().sent_at is not None


def a_process_that_sends(server):
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    env = os.environ | {"EMAIL_URL": server.url, "DATABASE_URL": database.geturl()}
    script = "from shop.emails import send_due; send_due()"
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", script]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_no_transaction_is_open_while_the_mail_server_is_spoken_to(order, deliver, server, at_once):
    states = []
    server.on_letter = lambda: states.extend(at_once([open_transactions]))
    deliver(stripe_events.completed(order))
    work()

    assert states == [0]


def open_transactions():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        )
        return cursor.fetchone()[0]
