"""The flight recorder: what was delivered, how fast it went through, and what was refused."""

import re
import threading
import uuid
from contextlib import contextmanager
from datetime import timedelta
from html import unescape

import pytest
from django.db import InterfaceError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from shop import flight
from shop.dashboard.legs import legs
from shop.models import OrderChange, Outcome, RefusedDelivery, Source, StripeEvent
from shop.rights import FULFIL_ORDER, REFUND_ORDER, VIEW_PAYMENTS, VIEW_WEBHOOK_PAYLOAD
from shop.signals import webhooks_recorded
from tests import factories, stripe_events
from tests.local_stripe import eventually
from tests.stripe_events import completed, event, signed

HTMX = {"HX-Request": "true"}
RECORDER = "/dashboard/webhooks/"


@pytest.fixture
def told(monkeypatch):
    """How often the recorder wrote and told of it. It writes at once here."""
    recorder, times = flight.Recorder(interval=0.01), []
    monkeypatch.setattr(flight, "recorder", recorder)

    def listener(**kwargs):
        times.append(1)

    webhooks_recorded.connect(listener)
    yield times
    webhooks_recorded.disconnect(listener)
    recorder.close()


def kept(event):
    return StripeEvent.objects.get(pk=event["id"])


def measured(event):
    row = kept(event)
    return row if row.commit_seconds is not None else None


# --- what is measured -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_payment_is_measured_from_its_receipt_to_the_commit_and_to_the_pages(deliver, told):
    paid = completed(factories.order())
    deliver(paid)

    row = eventually(lambda: measured(paid))
    assert 0 < row.commit_seconds < 30
    assert 0 < row.push_seconds < 30
    assert eventually(lambda: told)


@pytest.mark.django_db(transaction=True)
def test_what_failed_is_measured_too(client, deliver, told):
    client.raise_request_exception = False
    odd = event("refund.updated", stripe_events.refund(factories.paid_order(), 500, status="evaporated"))

    assert deliver(odd).status_code == 500
    assert eventually(lambda: measured(odd)).outcome == Outcome.FAILED


@pytest.mark.django_db(transaction=True)
def test_a_repeated_delivery_is_told_of_and_leaves_the_figures_of_the_first(deliver, told):
    paid = completed(factories.order())
    deliver(paid)
    first = eventually(lambda: measured(paid))
    said = len(eventually(lambda: told))
    deliver(paid)

    eventually(lambda: len(told) > said)
    again = kept(paid)
    assert (again.commit_seconds, again.push_seconds) == (first.commit_seconds, first.push_seconds)
    assert again.attempts == 2
    assert again.last_received_at > first.last_received_at
    assert again.received_at == first.received_at


@pytest.mark.django_db(transaction=True)
def test_a_rush_of_payments_is_written_by_one_statement(deliver, monkeypatch):
    recorder = flight.Recorder(interval=0.5)
    monkeypatch.setattr(flight, "recorder", recorder)
    writes = []
    webhooks_recorded.connect(count := lambda **kwargs: writes.append(1))
    events = [completed(factories.order()) for _ in range(5)]
    for paid in events:
        deliver(paid)

    eventually(lambda: all(measured(paid) for paid in events) and writes)
    deliver(last := completed(factories.order()))
    eventually(lambda: measured(last) and len(writes) > 1)
    webhooks_recorded.disconnect(count)
    assert len(writes) == 2, "one for the rush, one for what came after it"


@contextmanager
def no_figures_today():
    """The database refuses them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION refuse_figures() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'no figures today'; END $$;
            CREATE TRIGGER obstacle BEFORE UPDATE OF commit_seconds ON shop_stripeevent
            FOR EACH ROW EXECUTE FUNCTION refuse_figures();
            """
        )
        yield
        cursor.execute("DROP FUNCTION refuse_figures CASCADE")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_take_the_figures_costs_only_them(deliver, told, caplog):
    paid = completed(factories.order())
    deliver(paid)
    eventually(lambda: measured(paid))
    with no_figures_today():
        second = completed(factories.order())
        assert deliver(second).status_code == 200
        eventually(lambda: "not measured" in caplog.text)
    third = completed(factories.order())
    deliver(third)

    assert eventually(lambda: measured(third))
    assert kept(second).outcome == Outcome.APPLIED


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_connection_that_cannot_even_be_closed_does_not_silence_it_for_ever(client, told, monkeypatch):
    with monkeypatch.context() as patch:
        tried = []

        def close(self):
            tried.append(1)
            raise InterfaceError("the connection is closed")

        patch.setattr(BaseDatabaseWrapper, "close", close)
        refuse(client)
        eventually(lambda: tried and not writers())
    refuse(client)

    assert eventually(lambda: RefusedDelivery.objects.filter(count=2))


@contextmanager
def table_in_use(table):
    """Whoever wants to write into it waits."""
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table}")
    try:
        yield
    finally:
        other.close()


def writes_waiting():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE '%%INSERT INTO shop_refuseddelivery%%'"
        )
        return cursor.fetchone()[0]


def writers():
    return sum(isinstance(thread, threading.Timer) for thread in threading.enumerate())


@pytest.mark.django_db(transaction=True)
def test_while_the_database_stalls_one_write_waits_and_the_others_gather(client, told):
    with table_in_use("shop_refuseddelivery"):
        refuse(client)
        eventually(writes_waiting)
        refuse(client)
        refuse(client)
        assert writers() == 1

    assert eventually(lambda: RefusedDelivery.objects.filter(count=3))
    assert eventually(lambda: len(told) == 2)


@pytest.mark.django_db(transaction=True)
def test_what_gathers_has_its_limit_and_the_log_says_how_many_are_lost(
    client, deliver, told, monkeypatch, caplog
):
    monkeypatch.setattr(flight, "MOST_FLIGHTS", 2)
    events = [completed(factories.order()) for _ in range(5)]
    with table_in_use("shop_refuseddelivery"):
        refuse(client)
        eventually(writes_waiting)
        for paid in events:
            deliver(paid)

    assert eventually(lambda: measured(events[0]) and measured(events[1]))
    assert eventually(lambda: "3 webhooks are not measured: too many" in caplog.text)
    assert not any(measured(paid) for paid in events[2:])


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_written_is_counted_in_the_log(client, deliver, told, caplog):
    with table_in_use("shop_refuseddelivery"):
        refuse(client)
        eventually(writes_waiting)
        refuse(client)
        refuse(client)
        deliver(paid := completed(factories.order()))
        with no_figures_today():
            end_writes()
            eventually(lambda: "1 webhooks are not measured, 2 refused ones not counted" in caplog.text)

    assert "0 webhooks are not measured, 1 refused ones not counted" in caplog.text
    assert not RefusedDelivery.objects.exists()
    assert not measured(paid)


def end_writes():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE '%%INSERT INTO shop_refuseddelivery%%'"
        )


# --- what is refused ------------------------------------------------------------------------------


def refuse(client, body="{}", **how):
    text, headers = signed(event("some.thing", {}), **how)
    return client.post("/stripe-webhook/", body or text, content_type="application/json", headers=headers)


@pytest.mark.django_db(transaction=True)
def test_refused_deliveries_are_counted_by_reason_and_hour(client, told, caplog):
    for _ in range(3):
        refuse(client)
    refuse(client, body="", at=1_000_000_000)

    def counts():
        return dict(RefusedDelivery.objects.values_list("reason", "count"))

    expected = {"The signature does not match.": 3, "The signature is too old.": 1}
    assert eventually(lambda: counts() == expected)
    assert {row.hour.minute for row in RefusedDelivery.objects.all()} == {0}

    refuse(client)
    assert eventually(lambda: counts() == {**expected, "The signature does not match.": 4})
    assert not StripeEvent.objects.exists()


# --- the page -------------------------------------------------------------------------------------


def browser_of(*rights):
    client = Client()
    client.force_login(factories.staff(*rights))
    return client


@pytest.fixture
def staff():
    """A browser of somebody who may everything."""
    return browser_of()


def text(html):
    """As it is read: no tags, no double spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def rows(response):
    """Each delivery of the list, as it is read."""
    assert response.status_code == 200
    return [text(row) for row in re.findall(r'<li class="delivery".*?</li>', response.text, re.DOTALL)]


def page(staff, **query):
    return staff.get(RECORDER, query)


@pytest.mark.django_db
def test_without_the_right_nobody_sees_it(client):
    assert client.get(RECORDER)["Location"].startswith("/accounts/login/")
    assert browser_of(FULFIL_ORDER).get(RECORDER).status_code == 403
    assert browser_of(VIEW_PAYMENTS).get(RECORDER).status_code == 200


@pytest.mark.django_db
def test_an_empty_shop_says_what_will_stand_there(staff):
    assert "Stripe has not delivered anything yet" in text(page(staff).text)


@pytest.mark.django_db(transaction=True)
def test_a_delivery_shows_type_event_order_outcome_and_times(staff, deliver, told):
    order = factories.order()
    paid = completed(order)
    deliver(paid)
    eventually(lambda: measured(paid))

    response = page(staff)
    [row] = rows(response)
    for said in ("Applied", "checkout.session.completed", paid["id"], f"Order {order.number}", "1 attempt"):
        assert said in row
    assert re.search(r"received \+ [\d.]+ m?s committed \+ [\d.]+ m?s pushed \+ [\d.]+ m?s", row)
    assert f"https://dashboard.stripe.com/test/events/{paid['id']}" in response.text
    assert f"/dashboard/orders/{order.public_id}/" in response.text


@pytest.mark.django_db
def test_every_outcome_shows(client, staff, deliver):
    client.raise_request_exception = False
    held = factories.order()
    deliver(completed(held, amount_total=1))
    deliver(event("customer.created", {"object": "customer"}))
    deliver(event("refund.updated", stripe_events.refund(factories.paid_order(), 500, status="evaporated")))
    deliver(completed(factories.order(), client_reference_id=str(uuid.uuid4())))
    paid = completed(factories.order())
    deliver(paid)
    deliver(paid)
    deliver(paid)

    duplicate, unmatched, failed, ignored, on_hold = rows(page(staff))
    assert "Applied Duplicate × 2" in duplicate
    assert "3 attempts, the last" in duplicate
    assert unmatched.startswith("Unmatched")
    assert "Failed" in failed
    assert "ValueError · tried again" in failed
    assert ignored.startswith("Ignored")
    assert on_hold.startswith("Held for staff")


@pytest.mark.django_db
def test_what_failed_at_first_was_delivered_again_for_good_reason(staff, deliver, unmatched):
    _order, paid = unmatched
    deliver(paid)

    [row] = rows(page(staff))
    assert "Applied" in row
    assert "2 attempts, the last" in row
    assert "Duplicate" not in row
    assert rows(page(staff, outcome="duplicate")) == []


@pytest.mark.django_db
def test_what_is_delivered_again_comes_to_the_top(staff, deliver):
    old, new = (event("customer.created", {"object": "customer"}) for _ in range(2))
    deliver(old)
    deliver(new)
    deliver(old)

    assert [old["id"] in row for row in rows(page(staff))] == [True, False]


@pytest.mark.django_db
def test_an_event_that_the_reconciler_fetched_is_no_delivery(staff):
    StripeEvent.objects.receive("evt_fetched", "customer.created", 1, "{}", delivered=False)
    StripeEvent.objects.settle("evt_fetched", Outcome.IGNORED, None)

    assert "Ignored Fetched" in rows(page(staff))[0]


@pytest.mark.django_db
def test_filters_are_in_the_address(staff, deliver):
    order = factories.order()
    paid, other = completed(order), event("customer.created", {"object": "customer"})
    deliver(paid)
    deliver(other)
    deliver(other)

    def found(**query):
        return {paid["id"]: "paid", other["id"]: "other"}, [
            "paid" if paid["id"] in row else "other" for row in rows(page(staff, **query))
        ]

    for query, expected in (
        ({"type": "checkout.session."}, ["paid"]),
        ({"type": "customer.created"}, ["other"]),
        ({"type": "%"}, []),
        ({"outcome": "applied"}, ["paid"]),
        ({"outcome": "duplicate"}, ["other"]),
        ({"outcome": "failed"}, []),
        ({"q": paid["id"]}, ["paid"]),
        ({"q": order.number}, ["paid"]),
        ({"q": str(order.public_id)}, ["paid"]),
        ({"q": f"pi_{order.public_id.hex}"}, ["paid"]),
        ({"q": "evt_"}, []),
        ({"outcome": "nonsense", "after": "nonsense"}, ["other", "paid"]),
        ({"q": order.number, "outcome": "duplicate"}, []),
    ):
        assert found(**query)[1] == expected, query


def many(count, **fields):
    """Events of the past, a second apart, the newest first."""
    now = timezone.now()
    defaults = {"type": "customer.created", "created": now, "payload": "{}", "outcome": Outcome.IGNORED}
    StripeEvent.objects.bulk_create(
        StripeEvent(
            id=f"evt_{number}",
            received_at=now - timedelta(seconds=number),
            last_received_at=now - timedelta(seconds=number),
            **defaults | fields,
        )
        for number in range(count)
    )


def walk(staff, address=""):
    """All that the list has, page by page."""
    seen, pages = [], 0
    while address is not None:
        response = staff.get(RECORDER + address)
        seen += re.findall(r'id="delivery-([^"]+)"', response.text)
        older = re.search(r'rel="next" href="([^"]+)"', response.text)
        address, pages = (unescape(older[1]) if older else None), pages + 1
    return seen, pages


@pytest.mark.django_db
def test_older_ones_are_on_the_next_pages_each_once(staff):
    many(120)
    StripeEvent.objects.update(last_received_at=timezone.now())  # what came at once is told apart, too

    seen, pages = walk(staff)
    assert sorted(seen) == sorted(f"evt_{number}" for number in range(120))
    assert pages == 3


@pytest.mark.django_db
def test_a_rare_one_is_found_by_searching_further_back(staff, monkeypatch):
    monkeypatch.setattr("shop.dashboard.recorder.SEARCHED", 50)
    many(120)
    StripeEvent.objects.filter(pk="evt_119").update(type="payout.paid")

    first = page(staff, type="payout.")
    assert rows(first) == []
    assert "Search further back" in first.text
    assert walk(staff, "?type=payout.") == (["evt_119"], 3)


@pytest.mark.django_db
def test_the_page_costs_the_same_however_many_deliveries_there_are(staff):
    def count():
        with CaptureQueriesContext(connection) as queries:
            assert page(staff).status_code == 200
        return len(queries)

    many(1)
    few = count()
    StripeEvent.objects.all().delete()
    many(60, order=factories.paid_order())
    assert count() == few


@pytest.mark.django_db
def test_the_hours_percentiles_are_those_of_the_database(staff):
    many(100, commit_seconds=0.010, push_seconds=0.002, outcome=Outcome.APPLIED)
    StripeEvent.objects.filter(pk__in=[f"evt_{number}" for number in range(10)]).update(commit_seconds=0.2)
    many_ago = timezone.now() - timedelta(hours=2)
    StripeEvent.objects.create(
        id="evt_old", type="a", created=many_ago, received_at=many_ago, payload="{}", commit_seconds=99
    )

    commit = legs()["legs"][1]
    assert (commit.p50, commit.p95) == (pytest.approx(0.010), pytest.approx(0.2))
    assert legs()["measured"] == 100
    read = text(page(staff).text)
    assert "Received → committed p50 10 ms p95 200 ms" in read
    assert "Committed → pushed p50 2.0 ms p95 2.0 ms" in read


@pytest.mark.django_db
def test_what_changed_nothing_was_pushed_to_nobody_and_does_not_make_that_leg_look_fast():
    many(9, commit_seconds=0.010, push_seconds=0)
    assert (legs()["legs"][2].p50, legs()["legs"][2].columns) == (None, [])
    assert (legs()["legs"][1].p50, legs()["measured"]) == (pytest.approx(0.010), 9)

    StripeEvent.objects.filter(pk__in=["evt_0", "evt_1"]).update(outcome=Outcome.APPLIED, push_seconds=0.004)
    _, commit, push = legs()["legs"]
    assert (push.p50, sum(column.deliveries for column in push.columns)) == (pytest.approx(0.004), 2)
    assert sum(column.deliveries for column in commit.columns) == 9


@pytest.mark.django_db
def test_refused_deliveries_of_a_day_are_counted_by_reason(staff):
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for age, count in ((0, 3), (1, 4), (30, 1000)):
        RefusedDelivery.objects.create(
            hour=hour - timedelta(hours=age), reason="The signature does not match.", count=count
        )

    assert legs()["refused"] == [("The signature does not match.", 7)]
    assert "7 The signature does not match." in text(page(staff).text)


@pytest.mark.django_db
def test_what_stripe_says_is_not_markup(staff, deliver):
    odd = event("<script>alert(1)</script>", {"object": "thing"}, id="evt_'\"><b>")
    assert deliver(odd).status_code == 200

    response = page(staff)
    assert "<script>alert" not in response.text
    assert "evt_'\"><b>" in unescape(response.text)
    assert "<b>" not in response.text


# --- replay ---------------------------------------------------------------------------------------


def address(event_id, action=""):
    return reverse(f"dashboard:{action or 'payload'}", args=[event_id])


@pytest.fixture
def unmatched(deliver):
    """A payment whose order is there only now."""
    order = factories.order()
    paid = completed(order)
    public_id, order.public_id = order.public_id, uuid.uuid4()
    order.save()
    deliver(paid)
    order.public_id = public_id
    order.save()
    return order, paid


@pytest.mark.django_db
def test_replay_applies_what_found_no_order_and_says_who_did_it(unmatched):
    order, paid = unmatched
    assert kept(paid).outcome == Outcome.UNMATCHED
    boss = factories.staff(VIEW_PAYMENTS, REFUND_ORDER)
    browser = Client()
    browser.force_login(boss)

    response = browser.post(address(paid["id"], "replay"), headers=HTMX)
    assert "Replayed. Applied" in response.text
    assert 'hx-target="#answer"' in response.text
    order.refresh_from_db()
    assert order.payment_status == "paid"
    change = order.changes.get(what=OrderChange.What.PAYMENT)
    assert (change.source, change.who) == (Source.REPLAY, boss)
    assert kept(paid).attempts == 1


@pytest.mark.django_db
def test_who_replays_is_not_who_does_the_next_thing(staff, deliver, unmatched):
    staff.post(address(unmatched[1]["id"], "replay"), headers=HTMX)
    order = factories.order()
    deliver(completed(order))

    assert order.changes.get(what=OrderChange.What.PAYMENT).who is None


@pytest.mark.django_db
def test_replay_without_javascript_leads_back(staff, unmatched):
    response = staff.post(address(unmatched[1]["id"], "replay"), follow=True)
    assert response.redirect_chain == [(RECORDER, 302)]
    assert "Replayed. Applied" in text(response.text)


@pytest.mark.django_db
def test_what_fails_again_says_so_and_quotes_nobody(client, staff, deliver):
    client.raise_request_exception = False
    odd = event("refund.updated", stripe_events.refund(factories.paid_order(), 500, status="evaporated"))
    deliver(odd)

    response = staff.post(address(odd["id"], "replay"), headers=HTMX)
    assert response.status_code == 200
    assert "Failed again, and kept: ValueError." in response.text
    assert kept(odd).tries == 2


@pytest.mark.django_db
def test_replay_wants_its_right_and_a_post(unmatched):
    _order, paid = unmatched
    where = address(paid["id"], "replay")
    assert browser_of(VIEW_PAYMENTS).post(where, headers=HTMX).status_code == 403
    assert browser_of(REFUND_ORDER).post(where, headers=HTMX).status_code == 403
    assert browser_of().get(where).status_code == 405
    anybody = Client().post(where)
    assert anybody["Location"] == f"/accounts/login/?next={RECORDER}"
    assert kept(paid).outcome == Outcome.UNMATCHED


@pytest.mark.django_db
def test_what_was_applied_has_no_button(staff, deliver):
    deliver(completed(factories.order()))
    assert "/replay/" not in page(staff).text
    deliver(event("customer.created", {"object": "customer"}))
    assert "/replay/" in page(staff).text


ODD_IDS = ["evt_1/replay", "..", "a%2Fb", "~", "?x=1#y", "evt_" + "x" * 251, "~AAAA"]


@pytest.mark.django_db
@pytest.mark.parametrize("event_id", ODD_IDS)
def test_any_id_that_stripe_may_send_has_its_address(staff, deliver, event_id):
    assert deliver(event("customer.created", {"object": "customer"}, id=event_id)).status_code == 200

    assert event_id in unescape(staff.get(address(event_id)).text)
    assert "Replayed" in staff.post(address(event_id, "replay"), headers=HTMX).text
    assert unescape(page(staff).text).count(f'href="{address(event_id)}"') == 1


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["evt_none", "~AAAA", "~%2F", "~_w", "~"])
def test_other_addresses_are_not_found(staff, path):
    assert staff.get(f"{RECORDER}{path}/").status_code == 404


# --- the payload ----------------------------------------------------------------------------------

NOTES = {"note": "leave at the door", "who": "write to ada@example.com please", "for": "Uncle Bo"}
PEOPLE = {
    "customer_details": {
        "address": {"city": "Zürich", "line1": "Bahnhofstrasse 1", "postal_code": "8001"},
        "email": "grace@example.com",
        "name": "Grace Hopper",
        "phone": "+41790000000",
        "tax_ids": [{"type": "ch_vat", "value": "CHE-1"}],
    },
    "customer_email": "grace2@example.com",
    "shipping_details": {"carrier": "Pigeon", "tracking_number": "T1"},
    "payment_method_details": {
        "card": {
            "brand": "visa",
            "exp_month": 11,
            "exp_year": 2031,
            "fingerprint": "Xt5EWLLDS7FJjR1c",
            "last4": "4242",
            "wallet": {"dynamic_last4": "7777"},
        }
    },
    "custom_fields": [{"key": "engraving", "text": {"value": "For Ada"}}],
    "metadata": NOTES,
    "source": {
        "object": "card",
        "address_line1": "Zeil 7",
        "address_city": "Frankfurt",
        "address_zip": "60313",
        "address_country": "Germany",
    },
    "person": {"line1": "Rue 3", "line2": "Floor 9", "city": "Lyon", "zip": "69001"},
    "payment_method_options": {"cashapp": {"cashtag": "$bo"}, "card": {"cardholder": "ich_1"}},
    "url": "https://checkout.stripe.com/c/pay/secret",
    "client_secret": "pi_secret",
}
SECRETS = (
    *("Zürich", "Bahnhofstrasse", "8001", "grace@", "Grace Hopper", "+4179", "CHE-1", "grace2@", "Pigeon"),
    *("2031", "Xt5EWLLDS7FJjR1c", "4242", "7777", "For Ada", "leave at", "ada@example.com", "c/pay"),
    *("T1", "pi_secret", "Uncle Bo", "Zeil", "Frankfurt", "60313", "Germany", "Rue 3", "Floor 9", "Lyon"),
    *("69001", "$bo", "ich_1"),
)


@pytest.mark.django_db
def test_the_payload_shows_without_card_holders_data(deliver):
    order = factories.order()
    mine = {"public_id": str(order.public_id), "refund": "8bd2a7a2-6d6c-4f6c-9bb1-24b1a8f0b6c5"}
    paid = completed(order, **PEOPLE | {"metadata": {**NOTES, **mine}})
    deliver(paid)

    response = browser_of(VIEW_PAYMENTS, VIEW_WEBHOOK_PAYLOAD).get(address(paid["id"]))
    read = unescape(response.text)
    assert [secret for secret in SECRETS if secret in read] == []
    for said in (
        '"brand": "visa"',
        f'"amount_total": {order.amount_total}',
        str(order.public_id),
        '"name": "•••"',
        f'"public_id": "{mine["public_id"]}"',
        f'"refund": "{mine["refund"]}"',
    ):
        assert said in read
    assert f"/dashboard/orders/{order.public_id}/" in response.text


@pytest.mark.django_db
def test_the_payload_wants_its_right(deliver):
    paid = completed(factories.order())
    deliver(paid)
    assert browser_of(VIEW_PAYMENTS).get(address(paid["id"])).status_code == 403
    assert browser_of(VIEW_WEBHOOK_PAYLOAD).get(address(paid["id"])).status_code == 403
    assert Client().get(address(paid["id"])).status_code == 302


@pytest.mark.django_db
def test_a_payload_nested_without_end_still_shows(staff, deliver):
    deep: dict[str, object] = {"object": "thing"}
    for _ in range(900):
        deep = {"inner": deep}
    odd = event("some.thing", deep)
    assert deliver(odd).status_code == 200

    assert staff.get(address(odd["id"])).status_code == 200


@pytest.mark.django_db
def test_half_a_character_shows_as_it_was_written(staff, deliver):
    odd = event("some.thing", {"object": "thing", "half": "\ud83d", "\udd14": 1})
    assert deliver(odd).status_code == 200

    read = unescape(staff.get(address(odd["id"])).text)
    assert '"half": "\\ud83d"' in read
    assert '"\\udd14": 1' in read


@pytest.mark.django_db
def test_a_long_text_without_an_address_is_read_through_once(staff, deliver):
    odd = event("some.thing", {"object": "thing", "text": "x" * 900_000})  # squared it would take hours
    assert deliver(odd).status_code == 200

    assert staff.get(address(odd["id"])).status_code == 200
