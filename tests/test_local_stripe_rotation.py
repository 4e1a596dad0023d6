"""Endpoint secrets that are rolled: https://docs.stripe.com/webhooks#roll-endpoint-secrets"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.local_stripe import LocalStripe, Receiver, eventually, receiving

OLD = "whsec_from_the_environment"
JSON = {"Accept": "application/json"}
DAY = 24 * 3600


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@contextmanager
def local_stripe(tmp_path: Path, shop: Receiver, secrets: str = OLD) -> Iterator[LocalStripe]:
    with LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|{secrets}") as local:
        yield local


def endpoint(local: LocalStripe) -> Any:
    [only] = local.browser.get(local.url, headers=JSON).json()["endpoints"]
    return only


def secrets(local: LocalStripe) -> list[str]:
    return [secret["value"] for secret in endpoint(local)["secrets"]]


def do(local: LocalStripe, what: str) -> Any:
    answer = local.browser.post(f"{local.url}/control/endpoints/{endpoint(local)['id']}/{what}", headers=JSON)
    return answer.raise_for_status().json()


def signers(local: LocalStripe, shop: Receiver, known: list[str]) -> list[str]:
    """Which of the known secrets have signed the next event; nothing else has."""
    before = len(shop.received)
    local.client().v1.checkout.sessions.expire(local.checkout().id)
    eventually(lambda: len(shop.received) > before)
    body, headers, _ = shop.received[-1]
    verify = stripe.WebhookSignature.verify_header
    signed = []
    for secret in known:
        try:
            verify(body, headers["Stripe-Signature"], secret, tolerance=300)
            signed.append(secret)
        except stripe.SignatureVerificationError:
            pass
    assert headers["Stripe-Signature"].count("v1=") == len(signed)
    return signed


def test_a_rolled_secret_and_the_old_one_sign_until_the_old_one_is_expired(
    tmp_path: Path, shop: Receiver
) -> None:
    with local_stripe(tmp_path, shop) as local:
        assert signers(local, shop, [OLD]) == [OLD]

        rolled = do(local, "roll-secret")["secrets"]
        new = rolled[0]["value"]
        assert new.startswith("whsec_")
        assert [secret["value"] for secret in rolled] == [new, OLD]
        assert rolled[0]["until"] is None
        assert 0 < rolled[1]["until"] - time.time() <= DAY
        assert signers(local, shop, [new, OLD]) == [new, OLD]

        assert [secret["value"] for secret in do(local, "expire-old-secrets")["secrets"]] == [new]
        assert signers(local, shop, [new, OLD]) == [new]


def test_a_roll_outlives_the_process(tmp_path: Path, shop: Receiver) -> None:
    with local_stripe(tmp_path, shop) as local:
        do(local, "roll-secret")
        rolled = secrets(local)
        local.kill()

        local.start()
        assert secrets(local) == rolled
        assert signers(local, shop, rolled) == rolled


def test_rolling_twice_keeps_the_first_end_of_the_oldest(tmp_path: Path, shop: Receiver) -> None:
    with local_stripe(tmp_path, shop) as local:
        end = do(local, "roll-secret")["secrets"][-1]["until"]
        rolled = do(local, "roll-secret")["secrets"]

        assert len({secret["value"] for secret in rolled}) == 3
        assert rolled[-1] == {"value": OLD, "until": end}
        assert rolled[1]["until"] > end


def test_the_environment_wins_when_it_names_other_secrets_than_before(tmp_path: Path, shop: Receiver) -> None:
    with local_stripe(tmp_path, shop) as local:
        do(local, "roll-secret")
        [new, _] = secrets(local)
    with local_stripe(tmp_path, shop, f"{new},{OLD}") as local:
        assert [secret["until"] for secret in endpoint(local)["secrets"]] == [None, None]
        assert signers(local, shop, [new, OLD]) == [new, OLD]
    with local_stripe(tmp_path, shop, new) as local:
        assert signers(local, shop, [new, OLD]) == [new]


def test_the_new_secret_is_on_the_page_and_never_in_the_log(tmp_path: Path, shop: Receiver) -> None:
    with local_stripe(tmp_path, shop) as local:
        new = do(local, "roll-secret")["secrets"][0]["value"]
        signers(local, shop, [new, OLD])

        assert f">{new}<" in local.browser.get(local.url).text
        assert new not in local.terminate()
