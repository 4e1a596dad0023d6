"""Signed webhooks, and what happens when the shop does not take them."""

import json
import sqlite3
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import stripe

from tests.local_stripe import DECLINED_CARD, LocalStripe, eventually, free_port, receiving

SECRET = "whsec_of_the_tests"
JSON = {"Accept": "application/json"}


def timestamp(headers: dict[str, str]) -> int:
    return int(headers["Stripe-Signature"].split(",")[0].removeprefix("t="))


def undelivered(local: LocalStripe) -> list[Any]:
    return list(local.client().v1.events.list({"delivery_success": False}).data)


def test_a_payment_is_delivered_signed_before_the_shopper_is_sent_back(tmp_path: Path) -> None:
    with receiving() as shop, LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{SECRET}") as local:
        session = local.checkout()
        local.pay(session)

        [(body, headers, event)] = shop.of("checkout.session.completed")
        stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], SECRET, tolerance=300)
        assert headers["User-Agent"] == "Stripe/1.0 (+local)"
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert event["data"]["object"] == local.client().v1.checkout.sessions.retrieve(session.id).to_dict()
        assert (event["pending_webhooks"], event["livemode"]) == (1, False)
        eventually(lambda: not undelivered(local))
        assert local.client().v1.events.retrieve(event["id"]).pending_webhooks == 0


def test_an_event_names_the_request_behind_it(tmp_path: Path) -> None:
    with receiving() as shop, LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{SECRET}") as local:
        session = local.checkout()
        sessions = local.client().v1.checkout.sessions
        answer = sessions.expire(session.id, None, {"idempotency_key": "enough"}).last_response

        eventually(lambda: shop.of("checkout.session.expired"))
        assert answer is not None
        request = shop.of("checkout.session.expired")[0][2]["request"]
        assert request == {"id": answer.request_id, "idempotency_key": "enough"}


def test_what_was_not_taken_comes_again_with_a_new_signature_until_it_is(tmp_path: Path) -> None:
    answers = iter([500, 302, 400])
    with (
        receiving(lambda event: next(answers, 200) if event["type"].startswith("checkout") else 200) as shop,
        LocalStripe(
            tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{SECRET}", SANDBOX_STRIPE_RETRY_SECONDS="0.1 0.7"
        ) as local,
    ):
        local.pay(local.checkout())
        assert "checkout.session.completed" in [event.type for event in undelivered(local)]

        eventually(lambda: not undelivered(local))
        attempts = shop.of("checkout.session.completed")
        assert len(attempts) == 4
        assert len({event["id"] for _, _, event in attempts}) == 1
        times = [timestamp(headers) for _, headers, _ in attempts]
        assert times == sorted(times)
        assert times[-1] > times[0]
        for body, headers, _ in attempts:
            stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], SECRET, tolerance=300)


def test_while_a_secret_is_rolled_both_secrets_sign(tmp_path: Path) -> None:
    with receiving() as shop, LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|new,old") as local:
        local.pay(local.checkout())

        body, headers, _ = shop.of("checkout.session.completed")[0]
        assert headers["Stripe-Signature"].count("v1=") == 2
        for secret in ("new", "old"):
            stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], secret, tolerance=300)


def test_every_endpoint_gets_every_event_and_is_counted_for_itself(tmp_path: Path) -> None:
    with ExitStack() as stack:
        good = stack.enter_context(receiving())
        bad = stack.enter_context(receiving(lambda event: 503))
        pairs = f"{good.url}|one {bad.url}|two"
        local = stack.enter_context(
            LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=pairs, SANDBOX_STRIPE_RETRY_SECONDS="60")
        )
        local.pay(local.checkout(), DECLINED_CARD)

        eventually(lambda: len(good.received) == len(bad.received) == 3)
        eventually(lambda: [event.pending_webhooks for event in undelivered(local)] == [1, 1, 1])
        assert local.client().v1.events.list({"delivery_success": True}).data == []


def test_the_shopper_waits_for_the_slow_answer_but_not_for_a_second_try(tmp_path: Path) -> None:
    asked, free = threading.Event(), threading.Event()

    def slowly(event: Any) -> int:
        if event["type"] == "checkout.session.completed":
            asked.set()
            free.wait(10)
            return 500
        return 200

    with (
        receiving(slowly) as shop,
        LocalStripe(
            tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{SECRET}", SANDBOX_STRIPE_RETRY_SECONDS="60"
        ) as local,
    ):
        session = local.checkout()
        statuses: list[int] = []
        shopper = threading.Thread(target=lambda: statuses.append(local.pay(session).status_code))
        shopper.start()
        assert asked.wait(10)
        # The payment stands and other events go their way while the answer is still out.
        assert local.client().v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
        eventually(lambda: shop.of("payment_intent.succeeded"))
        assert statuses == []
        free.set()
        shopper.join(10)
        assert statuses == [303]


def test_a_shop_that_is_down_gets_its_events_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    with LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"http://127.0.0.1:{port}/hook/|{SECRET}") as local:
        started = time.monotonic()
        assert local.pay(local.checkout()).status_code == 303
        assert time.monotonic() - started < 5
        with receiving(port=port) as shop:
            eventually(lambda: not undelivered(local))
            assert len(shop.received) == 4


def endpoints(local: LocalStripe) -> dict[str, Any]:
    """By address."""
    answer = local.browser.get(local.url, headers=JSON).json()
    return {endpoint["url"]: endpoint for endpoint in answer["endpoints"]}


def only_delivery(local: LocalStripe) -> Any:
    """Of the only event."""
    [event] = local.browser.get(local.url, headers=JSON).json()["events"]
    return event["deliveries"][0]


def switch(local: LocalStripe, url: str, how: str) -> None:
    path = f"/control/endpoints/{endpoints(local)[url]['id']}/{how}"
    local.browser.post(local.url + path, headers=JSON).raise_for_status()


def test_nothing_is_sent_to_an_endpoint_that_is_off_and_all_of_it_once_it_is_on_again(tmp_path: Path) -> None:
    with receiving() as shop, LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{SECRET}") as local:
        switch(local, shop.url, "disable")
        # The shopper waits for nobody who is not asked: ten seconds would be more than this client has.
        local.browser.timeout = 5
        assert local.pay(local.checkout()).status_code == 303
        assert len(undelivered(local)) == 4
        assert all(event.pending_webhooks == 1 for event in undelivered(local))

        local.kill()
        local.start()
        assert endpoints(local)[shop.url]["status"] == "disabled"
        assert shop.received == []
        events = local.browser.get(local.url, headers=JSON).json()["events"]
        assert [event["deliveries"][0]["attempts"] for event in events] == [0] * 4
        switch(local, shop.url, "enable")
        eventually(lambda: not undelivered(local))
        assert len(shop.received) == 4


def test_switching_one_endpoint_off_leaves_the_others_alone(tmp_path: Path) -> None:
    with receiving() as one, receiving() as other:
        pairs = f"{one.url}|first {other.url}|second"
        with LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=pairs) as local:
            switch(local, one.url, "disable")
            local.pay(local.checkout())

            assert other.of("checkout.session.completed")
            eventually(lambda: endpoints(local)[other.url]["undelivered"] == 0)
            assert endpoints(local)[one.url]["undelivered"] == 4
            assert one.received == []


def test_an_event_is_sent_again_on_request_though_it_was_taken(tmp_path: Path) -> None:
    with receiving() as shop, LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{SECRET}") as local:
        local.pay(local.checkout())
        eventually(lambda: not undelivered(local))
        [(body, _, event)] = shop.of("checkout.session.completed")
        again = f"{local.url}/control/events/{event['id']}/send-again"
        local.browser.post(again, headers=JSON).raise_for_status()

        eventually(lambda: len(shop.of("checkout.session.completed")) == 2)
        second, headers, _ = shop.of("checkout.session.completed")[1]
        assert json.loads(second) == json.loads(body) | {"pending_webhooks": 0}
        stripe.WebhookSignature.verify_header(second, headers["Stripe-Signature"], SECRET, tolerance=300)


def test_a_refusal_of_what_was_taken_before_is_not_tried_again(tmp_path: Path) -> None:
    answers = iter([200, 500, 200])
    with (
        receiving(lambda event: next(answers)) as shop,
        LocalStripe(
            tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{SECRET}", SANDBOX_STRIPE_RETRY_SECONDS="0.01"
        ) as local,
    ):
        local.client().v1.checkout.sessions.expire(local.checkout().id)
        eventually(lambda: shop.received and not undelivered(local))
        event_id = shop.received[0][2]["id"]
        again = f"{local.url}/control/events/{event_id}/send-again"

        local.browser.post(again, headers=JSON).raise_for_status()
        eventually(lambda: only_delivery(local)["outcome"] == "500")
        assert (only_delivery(local)["attempts"], only_delivery(local)["due"]) == (2, None)
        assert undelivered(local) == []


def test_what_is_tried_for_three_days_is_given_up_but_can_be_sent_again(tmp_path: Path) -> None:
    answers = iter([500, 500])
    with (
        receiving(lambda event: next(answers, 200)) as shop,
        LocalStripe(
            tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{SECRET}", SANDBOX_STRIPE_RETRY_SECONDS="60"
        ) as local,
    ):
        local.client().v1.checkout.sessions.expire(local.checkout().id)
        event = eventually(lambda: shop.received)[0][2]
        eventually(lambda: only_delivery(local)["attempts"] == 1)
        local.kill()
        age(local, days=3)
        local.start()

        again = f"{local.url}/control/events/{event['id']}/send-again"
        local.browser.post(again, headers=JSON).raise_for_status()
        eventually(lambda: len(shop.received) == 2)
        eventually(
            lambda: (
                local.browser.get(local.url, headers=JSON).json()["events"][0]["deliveries"][0]["due"] is None
            )
        )
        assert len(undelivered(local)) == 1

        local.browser.post(again, headers=JSON).raise_for_status()
        eventually(lambda: not undelivered(local))


def age(local: LocalStripe, days: int) -> None:
    """Let everything have happened earlier."""
    with closing(sqlite3.connect(local.data_dir / "stripe" / "state.sqlite3", isolation_level=None)) as state:
        state.execute("UPDATE objects SET created = created - ?", (days * 86400,))
