"""Signed webhooks, and what happens when the shop does not take them."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import stripe

from tests.local_stripe import DECLINED_CARD, LocalStripe, eventually, free_port, receiving

SECRET = "whsec_of_the_tests"


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
        assert [event.type for event in undelivered(local)] == ["checkout.session.completed"]

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
