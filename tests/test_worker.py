"""The worker: what it does by the clock, and that no job is lost with a worker."""

import html
import re

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import override_settings
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from websockets.sync.client import connect

from shop import tasks
from tests.local_stripe import eventually


def found(pattern, page):
    match = re.search(pattern, page)
    assert match is not None
    return match[1]


class Shopper:
    """A browser without JavaScript, before the running shop."""

    def __init__(self, stack):
        self.stack = stack
        self.client = httpx.Client(trust_env=False, headers={"Referer": stack.url})

    def page(self, path):
        return self.client.get(self.stack.url + path).text

    def order(self):
        """Buys one; returns the hosted page's address and the order's path."""
        token = found(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page("/"))
        form = {"csrfmiddlewaretoken": token, "quantity-counter-bell": "1"}
        hosted = self.client.post(f"{self.stack.url}/checkout/", data=form).headers["Location"]
        return hosted, found(r'href="(/orders/[0-9a-f-]+/)"', self.page("/"))

    def open(self, path):
        """The live socket of a page."""
        address = html.unescape(found(r'hx-ws:connect="([^"]+)"', self.page(path)))
        cookies = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
        url = self.stack.url.replace("http", "ws", 1) + address
        return connect(url, origin=self.stack.url, additional_headers={"Cookie": cookies}, proxy=None)


def pay(hosted):
    fields = {"email": "ada@example.com", "cardNumber": "4242424242424242", "cardExpiry": "12/34"}
    answer = httpx.post(hosted, data=fields | {"cardCvc": "123", "billingName": "Ada"}, timeout=20)
    assert answer.status_code == 303


def test_with_webhooks_off_the_workers_round_changes_the_open_page(stack):
    shopper = Shopper(stack)
    hosted, path = shopper.order()
    with shopper.open(path) as socket, stack.webhooks_off():
        pay(hosted)
        assert 'data-payment-status="pending"' in shopper.page(path)

        stack.reconcile()
        eventually(lambda: 'data-payment-status="paid"' in socket.recv(timeout=20), seconds=60)


@pytest.fixture
def no_jobs(transactional_db):
    """Of earlier tests: Django does not know these tables as its own, and leaves them."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


def begun_by_a_worker(*_deferred):
    """The next job, in the hands of a worker."""
    worker = async_to_sync(app.job_manager.register_worker)()
    begun = async_to_sync(app.job_manager.fetch_job)(None, worker)
    assert begun is not None
    return ProcrastinateJob.objects.get(pk=begun.id)


def nobody_heard_of_them():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '40 seconds'")


@pytest.fixture
def job(no_jobs):
    return begun_by_a_worker(tasks.look_up_refunds.defer(order_id=1))


@pytest.mark.usefixtures("no_jobs")
def test_a_job_whose_worker_was_killed_goes_to_another(job):
    nobody_heard_of_them()

    async_to_sync(tasks.rescue_jobs.func)(timestamp=0)
    job.refresh_from_db()
    assert job.status == "todo"


@pytest.mark.usefixtures("no_jobs")
def test_a_killed_round_of_the_reconciler_stands_in_nobodys_way():
    tasks.reconcile.configure().defer(timestamp=1)
    begun_by_a_worker()
    tasks.reconcile.configure().defer(timestamp=2)  # the next minute's
    left = begun_by_a_worker(tasks.look_up_refunds.defer(order_id=1))
    nobody_heard_of_them()

    async_to_sync(tasks.rescue_jobs.func)(timestamp=0)
    reconciling = ProcrastinateJob.objects.filter(task_name="shop.tasks.reconcile")
    assert [(job.status, job.args["timestamp"]) for job in reconciling] == [("todo", 2)]
    left.refresh_from_db()
    assert left.status == "todo"


@pytest.mark.usefixtures("no_jobs")
def test_a_job_whose_worker_lives_is_left_to_it(job):
    async_to_sync(tasks.rescue_jobs.func)(timestamp=0)
    job.refresh_from_db()
    assert job.status == "doing"


@pytest.mark.usefixtures("no_jobs")
@override_settings(STRIPE_API_BASE="http://127.0.0.1:1")
def test_a_round_that_finds_stripe_away_ends_well_and_the_next_one_comes():
    tasks.reconcile.configure().defer(timestamp=0)
    app.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)
    assert not ProcrastinateJob.objects.filter(task_name="shop.tasks.reconcile", status="failed").exists()
