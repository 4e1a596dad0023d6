"""The flight recorder and the alarm in a browser: trouble is seen, mended by a button, and over by itself."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from shop.models import Order
from tests import stripe_events
from tests.browser.conftest import (
    bought_by,
    is_live,
    left_at_stripe,
    mark,
    marked,
    number_of,
    path_of,
    shows,
)
from tests.stack import Stack

pytestmark = pytest.mark.browser

WEBHOOKS = "/dashboard/webhooks/"


def test_a_delivery_appears_the_moment_it_is_applied_with_its_times(arrive, dashboard):
    window = dashboard(WEBHOOKS)
    mark(window)

    own = bought_by(arrive())

    number = number_of(own)
    delivery = window.locator("#recorder li", has_text=f"Order {number}").filter(
        has_text="checkout.session.completed"
    )
    expect(delivery).to_contain_text("Applied")
    expect(delivery).to_contain_text(re.compile(r"committed\s*\+ [\d.]+ m?s"))
    expect(delivery).to_contain_text(re.compile(r"pushed\s*\+ [\d.]+ m?s"))
    assert marked(window)


def test_an_event_that_failed_raises_the_alarm_and_a_replay_applies_it_and_ends_the_alarm(
    arrive, dashboard, stack
):
    payments, window = dashboard(), dashboard(WEBHOOKS)
    mark(payments, window)
    own = left_at_stripe(arrive())

    with row_locked(stack, own):  # until the database gives up waiting for it
        event_id = deliver_payment(stack, own, status=500)

    for page in (payments, window):
        expect(page.get_by_role("alert")).to_contain_text("could not be applied")
    window.get_by_role("button", name=f"Replay checkout.session.completed {event_id}").click()
    expect(window.locator("#answer")).to_contain_text("Replayed. Applied.")
    shows(own, "paid")
    for page in (payments, window):
        expect(page.get_by_role("alert")).to_have_count(0)
        assert marked(page)
    expect(window.locator("#recorder li", has_text=event_id)).to_contain_text("Applied")


def test_silence_raises_the_alarm_on_every_page_and_the_next_webhook_ends_it(arrive, dashboard, stack):
    payments, window = dashboard(), dashboard(WEBHOOKS)
    mark(payments, window)
    with stack.webhooks_off():
        own = bought_by(arrive())  # the return page asks Stripe
        let_minutes_go_by(stack, own)
        for page in (payments, window):
            words = "Stripe’s webhooks about checkouts do not arrive"
            expect(page.get_by_role("alert")).to_contain_text(words)

    bought_by(arrive())

    for page in (payments, window):
        expect(page.get_by_role("alert")).to_have_count(0)
        assert marked(page)


def test_by_keys_a_delivery_leads_to_its_order(arrive, dashboard):
    own = bought_by(arrive())
    window = dashboard(f"{WEBHOOKS}?type=checkout.session.completed")
    expect(window.locator("#recorder .delivery-order").first).to_be_visible()
    window.keyboard.press("j")
    window.keyboard.press("Enter")
    window.wait_for_url(f"**/dashboard{path_of(own)}")
    is_live(window)


def public_id_of(own: Page) -> UUID:
    return UUID(path_of(own).split("/")[2])


@contextmanager
def row_locked(stack: Stack, own: Page) -> Iterator[None]:
    """As by a session that hangs in the middle of something."""
    with psycopg.connect(stack.database.url) as database:
        database.execute("SELECT FROM shop_order WHERE public_id = %s FOR UPDATE", [public_id_of(own)])
        yield
        database.rollback()


def deliver_payment(stack: Stack, own: Page, *, status: int) -> str:
    """Tell the shop that the order is paid, as Stripe does; returns the event's id."""
    with psycopg.connect(stack.database.url) as database:
        asked = "SELECT amount_total, currency, stripe_session_id FROM shop_order WHERE public_id = %s"
        amount, currency, session_id = database.execute(asked, [public_id_of(own)]).fetchone() or ()
    order = SimpleNamespace(
        public_id=public_id_of(own), amount_total=amount, currency=currency, stripe_session_id=session_id
    )
    event: dict[str, Any] = stripe_events.completed(cast("Order", order))
    body = json.dumps(event)
    signature = stripe_events.signature(body, secret=stack.env["STRIPE_WEBHOOK_SECRET"])
    answer = httpx.post(
        f"{stack.url}/stripe-webhook/",
        content=body,
        headers={"Stripe-Signature": signature},
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == status
    return str(event["id"])


def let_minutes_go_by(stack: Stack, own: Page) -> None:
    """All that was heard, and the payment that was not, are older than they are."""
    with psycopg.connect(stack.database.url, autocommit=True) as database:
        database.execute(
            "UPDATE shop_stripeevent SET last_received_at = last_received_at - interval '20 minutes'"
        )
        database.execute(
            "UPDATE shop_orderchange SET at = at - interval '10 minutes'"
            " WHERE order_id = (SELECT id FROM shop_order WHERE public_id = %s)",
            [public_id_of(own)],
        )
