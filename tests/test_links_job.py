"""From the wish to get one's links to the e-mail: what fails or dies on the way is done soon, and once."""

import pytest
from asgiref.sync import async_to_sync
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.test import Client
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from shop import emails, tasks
from shop.jobs import defer_once
from tests import factories
from tests.worker import work

pytestmark = pytest.mark.django_db(transaction=True)

ADA = "ada@example.com"


class Killed(BaseException):
    """What no `except Exception` sees: the process is gone."""


class Trouble(BaseEmailBackend):
    """A mail server in `trouble`, which is called with each letter."""

    trouble = staticmethod(lambda: None)

    def send_messages(self, messages):
        type(self).trouble()


@pytest.fixture(autouse=True)
def _order(mailoutbox):
    """Ada's, of which she has heard."""
    no_jobs()
    factories.paid_order()
    work()
    mailoutbox.clear()
    yield
    no_jobs()


@pytest.fixture
def mail_in(settings, monkeypatch):
    """Let the mail server be in trouble; None ends it."""

    def trouble(what):
        backend = "tests.test_links_job.Trouble" if what else "django.core.mail.backends.locmem.EmailBackend"
        settings.EMAIL_BACKEND = backend
        monkeypatch.setattr(Trouble, "trouble", staticmethod(what))

    return trouble


def no_jobs():
    """Django does not know their tables as its own, and leaves what tests have left there."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


def away():
    raise ConnectionRefusedError(f"Nobody takes letters to {ADA}")


def killed():
    raise Killed


def ask():
    assert Client().post("/orders/find/", {"email": ADA}).status_code == 302


def jobs():
    """Status and tries before, oldest first."""
    rows = ProcrastinateJob.objects.filter(task_name="shop.tasks.send_links").order_by("pk")
    return [(job.status, job.args.get("tries", 0)) for job in rows]


def begin():
    """The next job goes to another worker; whether there is one that can be begun."""
    worker = async_to_sync(app.job_manager.register_worker)()
    return async_to_sync(app.job_manager.fetch_job)(None, worker) is not None


def find_the_dead():
    """Half a minute after."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '40 seconds'")
    async_to_sync(tasks.rescue_jobs.func)(timestamp=0)


def test_a_mail_server_that_is_away_is_asked_again(mail_in, mailoutbox, caplog):
    mail_in(away)
    ask()
    work()
    work()
    assert jobs() == [("todo", 2)]
    assert "Links were not sent" in caplog.text
    assert ADA not in caplog.text

    mail_in(None)
    work()
    assert len(mailoutbox) == 1
    assert jobs() == []


def test_who_asks_again_is_not_kept_waiting_by_a_try_that_failed(mail_in):
    mail_in(away)
    ask()
    work()
    ask()

    [job] = ProcrastinateJob.objects.filter(task_name="shop.tasks.send_links")
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s < now() + interval '3 minutes'", [job.scheduled_at])
        assert cursor.fetchone() == (True,)


def test_a_try_that_fails_while_somebody_asks_again_leaves_the_new_one_to_it(mail_in, mailoutbox):
    again = iter([ask])

    def away_while_she_asks_again():
        for once in again:
            once()
        away()

    mail_in(away_while_she_asks_again)
    ask()
    work()
    assert [status for status, _tries in jobs()] == ["todo"], "none is stuck, and one waits"

    mail_in(None)
    work()
    assert len(mailoutbox) == 1
    assert jobs() == []


def test_one_that_fails_for_good_is_left_as_failed_and_stands_in_nobodys_way(mail_in, mailoutbox):
    mail_in(away)
    defer_once("send_links", emails.hash_of(ADA), email=ADA, tries=tasks.MOST_LINKS_TRIES - 1)
    work()
    assert jobs() == [("failed", tasks.MOST_LINKS_TRIES - 1)]

    mail_in(None)
    ask()
    work()
    assert len(mailoutbox) == 1


def test_a_worker_that_is_killed_while_it_sends_costs_nobody_her_letter(mail_in, mailoutbox):
    ask()
    assert begin()
    mail_in(killed)
    with pytest.raises(Killed):
        emails.send_links(ADA)
    mail_in(None)
    find_the_dead()
    work()

    assert len(mailoutbox) == 1
    assert jobs() == []


def test_an_address_has_one_worker_at_a_time(mailoutbox):
    ask()
    assert begin()
    ask()
    assert not begin(), "one may be just about to say that it was sent"

    find_the_dead()
    work()
    assert len(mailoutbox) == 1
    assert jobs() == []


def test_a_worker_that_is_killed_when_it_has_sent_does_not_send_again(mailoutbox):
    ask()
    assert begin()
    emails.send_links(ADA)
    find_the_dead()
    work()

    assert len(mailoutbox) == 1
