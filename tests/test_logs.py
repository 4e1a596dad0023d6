"""The log: one line for each thing that happened, with what it was about; and nobody can forge one."""

import asyncio
import io
import logging
import re
import uuid
from ipaddress import ip_network

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.urls import reverse

from project.asgi import application
from project.logs import LONGEST, SEARCHED, Formatter
from shop import tasks, tracing
from shop.models import Order
from shop.rights import REFUND_ORDER, VIEW_PAYMENTS
from tests import factories, logfmt, stripe_events
from tests.local_stripe import eventually
from tests.stripe_events import completed
from tests.worker import work

OURS = re.compile(r"[0-9a-f]{16}")
PASSWORD = "a horse with a staple"
SECURITY = "shop.security"
GREETING = "Launching a worker on all queues\n"
"""Printed, at each start."""

# Whatever could end a line, begin another, steer a terminal or turn the reading direction.
FORGED = (
    '/nowhere\r\ntime=2026-01-01T00:00:00.000Z level=CRITICAL logger=shop message="Owned"'
    "\x00\x1b[2J\x85\u2028\u202e\ud800"
)


@pytest.fixture
def said():
    """What the log says from now on, line by line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    with tracing.afresh():  # tests share a context, and requests outside of Daphne bind to it
        yield lambda **which: [
            line for line in logfmt.lines(stream.getvalue()) if which.items() <= line.items()
        ]
    root.removeHandler(handler)


def ask(path, *, method="GET", peer="198.51.100.7", headers=(), body=b""):
    """One request as a server hands it to the door; status and headers of the answer."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), *headers],
        "client": [peer, 40000],
        "server": ["127.0.0.1", 8000],
    }
    answers = []

    async def run():
        told = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive():
            if told:
                return told.pop()
            return await asyncio.get_running_loop().create_future()  # the client stays

        async def send(message):
            answers.append(message)

        await application(scope, receive, send)

    async_to_sync(run)()
    return answers[0]["status"], {name.decode(): value.decode() for name, value in answers[0]["headers"]}


# --- the form of a line ---------------------------------------------------------------------------


def test_a_line_says_when_how_bad_where_and_what(said):
    logging.getLogger("shop.test").warning("It is %s", "so")

    [line] = said(logger="shop.test")
    assert (line["level"], line["message"]) == ("WARNING", "It is so")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def test_a_traceback_is_a_field_of_its_line(said):
    try:
        raise ZeroDivisionError("for ada@example.com")
    except ZeroDivisionError:
        logging.getLogger("shop.test").exception("It broke")

    [line] = said(logger="shop.test")
    assert (line["message"], line["error"]) == ("It broke", "ZeroDivisionError")
    assert line["traceback"].startswith("Traceback (most recent call last):\n")
    assert line["traceback"].endswith("ZeroDivisionError: for …@…")


def test_no_value_can_forge_a_line_or_a_field(said):
    with tracing.about(order=FORGED):
        logging.getLogger("shop.test").warning("%s", FORGED)

    [line] = said()
    assert line["message"] == line["order"] == FORGED
    assert line["level"] == "WARNING"


def test_an_address_that_was_asked_for_cannot_forge_a_line(said):
    ask(FORGED.removesuffix("\ud800"))  # which no server makes of an address

    [line] = said(logger="django.request")
    assert line["message"].startswith("Not Found: /nowhere")
    assert not said(level="CRITICAL")


def test_a_line_has_an_end(said):
    logging.getLogger("shop.test").warning("x" * 100_000)

    [line] = said()
    assert len(line["message"]) < 5_000


@pytest.mark.parametrize("length", [LONGEST, SEARCHED * LONGEST])
def test_no_half_of_a_secret_is_left_where_a_line_is_cut(said, length):
    """Masks make the text shorter, so that what stood far behind may come to stand in the line."""
    begins = 500 * "z "
    for cut in range(-40, 40, 7):
        ticket = (length - cut - len(f"{begins}ticket= ")) * "x"
        text = f"{begins}ticket={ticket} ada@example.com {LONGEST * 'y '}"
        logging.getLogger("shop.test").warning("%s", text)

    messages = [line["message"] for line in said()]
    assert len(messages) == 12
    assert all(message.startswith("z z") for message in messages)
    assert not [message for message in messages if "ada" in message]


def test_no_half_of_a_row_is_left_where_a_traceback_is_cut(said):
    rows = [f"DETAIL:  Failing row contains ({400 * 'Ada '})." for _ in range(50)]
    try:
        raise ValueError("\n".join(rows))
    except ValueError:
        logging.getLogger("shop.test").exception("It broke")

    [line] = said()
    assert "DETAIL:  …" in line["traceback"]
    assert "Ada" not in line["traceback"]


# --- what it is about -----------------------------------------------------------------------------


def test_every_answer_has_an_id_of_its_own_and_the_log_has_it_too(said):
    ids = [ask("/nowhere/")[1]["x-request-id"] for _ in range(3)]

    assert [line["request"] for line in said(logger="django.request")] == ids
    assert len(set(ids)) == 3
    assert all(OURS.fullmatch(one) for one in ids)


def test_nobody_but_our_own_proxy_says_what_a_request_is_called(settings):
    named = [(b"x-request-id", b"0123456789abcdef-of-nginx")]
    assert OURS.fullmatch(ask("/nowhere/", headers=named)[1]["x-request-id"])

    settings.TRUSTED_PROXIES = [ip_network("198.51.100.7")]
    assert ask("/nowhere/", headers=named)[1]["x-request-id"] == "0123456789abcdef-of-nginx"


@pytest.mark.parametrize(
    "odd", [b"short", b"x" * 65, b"evil id", b"evil\nid-evil", b"ab_cd_ef_gh", b"\xff" * 9, b""]
)
def test_not_even_our_own_proxy_says_what_is_no_id(settings, odd):
    settings.TRUSTED_PROXIES = [ip_network("198.51.100.7")]
    assert OURS.fullmatch(ask("/nowhere/", headers=[(b"x-request-id", odd)])[1]["x-request-id"])


def test_a_refused_webhook_is_logged_with_its_request_from_its_own_thread(said):
    status, headers = ask("/stripe-webhook/", method="POST", body=b"{}")

    [line] = said(logger="shop.webhooks")
    assert (status, line["level"]) == (400, "WARNING")
    assert line["message"] == "Webhook refused: The signature does not match."
    assert line["request"] == headers["x-request-id"]


@pytest.mark.django_db(transaction=True)
def test_what_a_webhook_says_of_an_order_is_logged_with_event_and_order(said, order):
    told = completed(order, amount_total=1)
    body, signed = stripe_events.signed(told)
    signature = [(b"stripe-signature", signed["Stripe-Signature"].encode())]
    status, headers = ask("/stripe-webhook/", method="POST", body=body.encode(), headers=signature)

    [line] = said(level="ERROR")
    assert status == 200
    assert (line["event"], line["order"]) == (told["id"], str(order.public_id))
    assert line["request"] == headers["x-request-id"]


@pytest.mark.django_db(transaction=True)
def test_what_is_left_unsaid_ends_with_its_request(said, order, deliver):
    deliver(completed(order))
    ask("/nowhere/")

    [line] = said(logger="django.request")
    assert "event" not in line


@pytest.mark.django_db(transaction=True)
def test_what_the_worker_does_is_logged_with_its_job(said):
    job = tasks.forget_what_is_over.configure().defer(timestamp=0)
    work()

    [line] = said(logger="shop.tasks")
    assert (line["job"], line["message"]) == (str(job), "Purged the payloads of 0 events")


@pytest.mark.django_db
def test_a_checkout_that_stripe_does_not_answer_is_logged_with_its_order(said, line, bell, quick_retries):
    line.next_come(500, 500, 500, 500)
    Client().post("/checkout/", {f"quantity-{bell.slug}": "1"})

    [told] = said(logger="shop.checkout")
    assert told["order"] == str(Order.objects.get().public_id)


# --- what security asks about ---------------------------------------------------------------------


@pytest.mark.django_db
def test_log_ins_that_fail_and_succeed_and_log_outs_are_logged_without_name_or_password(said, client):
    ada = factories.user(username="ada", password=PASSWORD)
    for password in ("my other password", PASSWORD):
        client.post("/accounts/login/", {"username": "ada", "password": password})
    client.post("/accounts/logout/")

    failed, logged_in, logged_out = said(logger=SECURITY)
    assert (failed["level"], failed["message"]) == ("WARNING", "Log-in failed")
    assert (logged_in["message"], logged_in["user"]) == ("Logged in", str(ada.pk))
    assert failed["account"] == logged_in["account"], "the same account, without its name"
    assert (logged_out["message"], logged_out["user"]) == ("Logged out", str(ada.pk))
    assert "password" not in str(said())
    assert "'ada'" not in str(said())


@pytest.mark.django_db
def test_who_was_refused_is_logged_with_the_right_that_was_missing(said):
    packer = factories.staff(VIEW_PAYMENTS)
    browser = factories.browser_of(packer)
    order = factories.paid_order()
    browser.post(reverse("dashboard:refund", args=[order.public_id]), {"amount": "1"})

    [line] = said(logger=SECURITY, message="Permission refused")
    assert (line["level"], line["user"]) == ("WARNING", str(packer.pk))
    assert REFUND_ORDER in line["needs"]


@pytest.mark.django_db
def test_a_foreign_form_is_logged(said):
    Client(enforce_csrf_checks=True).post("/checkout/", {"quantity-bell": "1"})

    [line] = said(logger="django.security.csrf")
    assert (line["level"], line["message"]) == ("WARNING", "Forbidden (CSRF cookie not set.): /checkout/")


@pytest.mark.django_db
def test_what_staff_do_with_an_order_is_logged_once_it_is_done(said, django_capture_on_commit_callbacks):
    boss = factories.staff()
    order = factories.paid_order()
    with django_capture_on_commit_callbacks(execute=True):
        factories.browser_of(boss).post(reverse("dashboard:prepare", args=[order.public_id]))

    [line] = said(logger=SECURITY, message="Staff changed an order")
    assert (line["user"], line["order"]) == (str(boss.pk), str(order.public_id))
    assert line["change"] == "fulfilment_status"


@pytest.mark.django_db
def test_who_looks_at_what_stripe_signed_is_logged(said, deliver, order):
    told = completed(order)
    deliver(told)
    boss = factories.staff()
    factories.browser_of(boss).get(reverse("dashboard:payload", args=[told["id"]]))

    [line] = said(message="Payload viewed")
    assert (line["user"], line["event"]) == (str(boss.pk), told["id"])


# --- as it is written -----------------------------------------------------------------------------


def written_from_now_on(log):
    """Reads what the file was given since; other tests have their say in it, too."""
    before = log.stat().st_size
    return lambda: log.read_bytes()[before:].decode()


def test_all_that_the_running_shop_writes_is_such_lines(stack):
    text = written_from_now_on(stack.daphne.log)
    with httpx.Client(base_url=stack.url, trust_env=False) as browser:
        nowhere = f"/nowhere-{uuid.uuid4().hex}/"
        asked = browser.get(f"{nowhere}?q=what-people-type")

    def written():
        return logfmt.lines(text())

    eventually(lambda: any(line["message"] == f"GET {nowhere}" for line in written()), seconds=10)
    [access] = [line for line in written() if line["message"] == f"GET {nowhere}"]
    assert (access["status"], access["client"]) == ("404", "127.0.0.1")
    assert access["request"] == asked.headers["x-request-id"]
    assert "what-people-type" not in text()
    assert all(list(line)[:4] == ["time", "level", "logger", "message"] for line in written())


def test_all_that_the_worker_writes_as_it_stops_and_starts_is_such_lines_but_for_its_greeting(stack):
    text = written_from_now_on(stack.worker.log)
    stack.worker.stop()
    stack.worker.start()

    eventually(lambda: GREETING in text(), seconds=30)
    assert all("message" in line for line in logfmt.lines(text().replace(GREETING, "")))


def test_a_socket_that_is_refused_is_logged_with_why(stack):
    address = f"{stack.url}/ws/shop/"
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    with httpx.Client(trust_env=False) as client:
        refused = client.get(address, headers={**upgrade, "Origin": "https://evil.example"})
    assert refused.status_code == 403

    eventually(lambda: "Socket rejected /ws/shop/" in stack.daphne.log.read_text(), seconds=10)
