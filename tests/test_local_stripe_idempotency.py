"""Idempotency keys: https://docs.stripe.com/api/idempotent_requests"""

import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import stripe

from tests.local_stripe import KEY, LocalStripe, checkout_params


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    with LocalStripe(tmp_path_factory.mktemp("stripe")) as running:
        yield running


def create(local: LocalStripe, idempotency_key: str, **params: Any) -> stripe.checkout.Session:
    sessions = local.client().v1.checkout.sessions
    return sessions.create(checkout_params(**params), {"idempotency_key": idempotency_key})


def headers(obj: Any) -> Any:
    return obj.last_response.headers


def test_the_same_key_gets_the_same_answer_and_is_told_so(local: LocalStripe) -> None:
    first, second = create(local, "replay"), create(local, "replay")

    assert first == second
    assert "idempotent-replayed" not in headers(first)
    assert headers(second)["idempotent-replayed"] == "true"
    assert headers(second)["original-request"] == headers(first)["request-id"]
    assert headers(second)["idempotency-key"] == "replay"
    assert headers(second)["request-id"] != headers(first)["request-id"]


def test_ten_at_once_with_one_key_open_one_session(local: LocalStripe) -> None:
    def attempt(_number: int) -> str:
        sessions = local.client(retries=5).v1.checkout.sessions
        return sessions.create(checkout_params(), {"idempotency_key": "at once"}).id

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(attempt, range(10)))) == 1


def test_the_same_key_with_other_parameters_is_an_error(local: LocalStripe) -> None:
    create(local, "changed", client_reference_id="one")

    with pytest.raises(stripe.IdempotencyError, match="same parameters they were first used with") as refused:
        create(local, "changed", client_reference_id="two")
    assert refused.value.http_status == 400


def test_the_same_key_at_another_address_is_an_error(local: LocalStripe) -> None:
    session = create(local, "elsewhere")

    with pytest.raises(stripe.IdempotencyError, match="same endpoint they were first used for"):
        local.client().v1.checkout.sessions.expire(session.id, None, {"idempotency_key": "elsewhere"})


def test_keys_of_another_account_are_other_keys(local: LocalStripe) -> None:
    mine = create(local, "shared")
    other = local.client("sk_test_of_somebody_else").v1.checkout.sessions
    theirs = other.create(checkout_params(), {"idempotency_key": "shared"})

    assert mine.id != theirs.id


def test_a_refused_parameter_does_not_use_up_the_key(local: LocalStripe) -> None:
    for wrong in ({"colour": "red"}, {"success_url": "nowhere"}):
        with pytest.raises(stripe.InvalidRequestError):
            create(local, "second try", **wrong)

    assert create(local, "second try").status == "open"


def test_an_error_of_the_work_itself_is_replayed(local: LocalStripe) -> None:
    sessions = local.client().v1.checkout.sessions
    session = sessions.expire(create(local, "to be expired").id)

    for replayed in (None, "true"):
        with pytest.raises(stripe.InvalidRequestError, match="status of `expired`") as refused:
            sessions.expire(session.id, None, {"idempotency_key": "expire twice"})
        answer: Any = refused.value.headers
        assert answer.get("idempotent-replayed") == replayed


def test_a_failure_of_ours_is_replayed_as_stripe_does_it(local: LocalStripe) -> None:
    with closing(sqlite3.connect(local.data_dir / "stripe" / "state.sqlite3", isolation_level=None)) as state:
        state.execute("ALTER TABLE objects RENAME TO lost")
        with pytest.raises(stripe.APIError) as failed:
            create(local, "bad luck")
        state.execute("ALTER TABLE lost RENAME TO objects")
    assert failed.value.http_status == 500

    with pytest.raises(stripe.APIError) as replayed:
        create(local, "bad luck")
    answer: Any = replayed.value.headers
    assert answer["idempotent-replayed"] == "true"
    assert create(local, "better luck").status == "open"


def test_a_key_in_use_is_a_conflict(local: LocalStripe) -> None:
    head = (
        "POST /v1/checkout/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n"
        f"Authorization: Bearer {KEY}\r\nIdempotency-Key: in flight\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", local.port), timeout=5) as slow:
        slow.sendall(head.encode())
        # The server asks for the body, so it has the headers, and with them the key.
        assert slow.recv(100).startswith(b"HTTP/1.1 100")
        with pytest.raises(stripe.StripeError) as refused:
            create(local, "in flight")
        body: Any = refused.value.json_body
        assert (refused.value.http_status, body["error"]["code"]) == (409, "idempotency_key_in_use")
        slow.sendall(b"colour=re")
        assert slow.recv(1000).startswith(b"HTTP/1.1 400")

    assert create(local, "in flight").status == "open"
