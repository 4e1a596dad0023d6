"""Starting, stopping, being killed, and what must survive it."""

import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.stripe.tables import MIGRATIONS
from tests.local_stripe import (
    AUTHENTICATED_CARD,
    DECLINED_CARD,
    DISPUTED_CARD,
    GOOD_CARD,
    KEY,
    PENDING_REFUND_CARD,
    LocalStripe,
    checkout_params,
    eventually,
    free_port,
    receiving,
)


def test_after_a_kill_everything_is_there_and_deliveries_go_on(tmp_path: Path) -> None:
    port = free_port()
    hook = f"http://127.0.0.1:{port}/hook/|whsec_1"
    with LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=hook) as local:
        create = local.client().v1.checkout.sessions.create
        session = create(checkout_params(), {"idempotency_key": "once"})
        declined = local.checkout()
        local.pay(session)
        local.pay(declined, DECLINED_CARD)
        events = local.event_types()
        local.kill()

        local.start()
        assert local.event_types() == events
        assert local.client().v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
        assert create(checkout_params(), {"idempotency_key": "once"}).id == session.id
        with receiving(port=port) as shop:
            eventually(lambda: sorted(event["type"] for _, _, event in shop.received) == sorted(events))
        assert local.pay(declined).status_code == 303


def test_a_session_whose_time_passed_while_nobody_was_here_expires_at_the_start(tmp_path: Path) -> None:
    with receiving() as shop:
        hooks = f"{shop.url}|whsec_1"
        with LocalStripe(
            tmp_path, SANDBOX_STRIPE_WEBHOOKS=hooks, SANDBOX_STRIPE_MIN_EXPIRY_SECONDS="0"
        ) as local:
            session = local.checkout(expires_at=int(time.time()) + 1)
            local.kill()
            eventually(lambda: time.time() > session.expires_at)
            assert shop.received == []

            local.start()
            eventually(lambda: shop.of("checkout.session.expired"))
            assert local.client().v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_what_the_bank_was_to_decide_is_decided_after_a_restart(tmp_path: Path) -> None:
    with LocalStripe(tmp_path, SANDBOX_STRIPE_DEBIT_SECONDS="2") as local:
        v1 = local.client().v1
        session, asked = local.checkout(), local.checkout()
        local.debit(session)
        local.pay(asked, AUTHENTICATED_CARD)
        refund = v1.refunds.create({"payment_intent": local.paid(PENDING_REFUND_CARD).id})
        [dispute] = v1.disputes.list({"payment_intent": local.paid(DISPUTED_CARD).id}).data
        v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
        local.kill()
        over = time.time() + 2
        eventually(lambda: time.time() > over)

        local.start()
        eventually(lambda: v1.checkout.sessions.retrieve(session.id).payment_status == "paid")
        eventually(lambda: v1.refunds.retrieve(refund.id).status == "succeeded")
        eventually(lambda: v1.disputes.retrieve(dispute.id).status == "won")
        assert local.authenticate(asked).status_code == 303
        assert local.payment(asked).status == "succeeded"


def test_the_state_of_an_older_version_is_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / "stripe"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "state.sqlite3")) as state:
        state.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
    with LocalStripe(tmp_path) as local:
        session = local.checkout()
        assert local.debit(session).status_code == 303


def test_the_state_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "stripe"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "state.sqlite3")) as state:
        state.execute("PRAGMA user_version = 999")
    errors = LocalStripe(tmp_path).spawn().communicate(timeout=10)[1]

    assert "was written by another version of the local Stripe" in errors
    assert errors.count("\n") == 1


def test_the_log_tells_what_was_delivered_and_no_secret(tmp_path: Path) -> None:
    with receiving() as shop, LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|whsec_9") as local:
        local.pay(local.checkout())
        eventually(lambda: len(shop.received) == 4)
        log = local.terminate()

    assert f"ready at {local.url}" in log
    assert f"checkout.session.completed to {shop.url}: 200" in log
    for secret in ("whsec_9", KEY, GOOD_CARD, "ada@example.com"):
        assert secret not in log


def test_a_polite_stop_is_a_quick_one(tmp_path: Path) -> None:
    with LocalStripe(tmp_path) as local:
        process = local.process
        assert process is not None
        started = time.monotonic()
        log = local.terminate()

    assert time.monotonic() - started < 2
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in log


def test_a_busy_port_is_one_clear_sentence(tmp_path: Path) -> None:
    local = LocalStripe(tmp_path)
    with socket.create_server(("127.0.0.1", local.port)):
        process = local.spawn()
        errors = process.communicate(timeout=10)[1]

    assert process.returncode == 1
    assert errors.startswith(f"The local Stripe cannot use port {local.port} (Address already in use):")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SANDBOX_STRIPE_PORT", "many", "SANDBOX_STRIPE_PORT must be a whole number"),
        ("SANDBOX_STRIPE_WEBHOOKS", "http://127.0.0.1/", "must be `url|secret` pairs"),
        ("STRIPE_SECRET_KEY", "sk_live_1", "no live key belongs here"),
        ("SANDBOX_STRIPE_DEBIT_SECONDS", "soon", "SANDBOX_STRIPE_DEBIT_SECONDS must be a whole number"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_clear_sentence(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    process: subprocess.Popen[str] = LocalStripe(tmp_path, **{name: value}).spawn()
    errors = process.communicate(timeout=10)[1]

    assert process.returncode == 1
    assert words in errors
    assert errors.count("\n") == 1
