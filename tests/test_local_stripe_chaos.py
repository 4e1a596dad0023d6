"""Trouble on purpose: what it does to webhooks and to calls, and what it never does."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests.local_stripe import KEY, LocalStripe, checkout_params, eventually, receiving

SECRET = "whsec_of_the_tests"
# Of a payment by card.
EVENTS = {
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
}
CALM = {"Accept": "application/json"}


class Hook:
    """A webhook that looks at the signature: `got` has every body and whether it was as it was signed."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, bool]] = []
        self.url = ""

    def take(self, body: bytes, signature: str) -> int:
        try:
            text = body.decode(errors="replace")
            stripe.WebhookSignature.verify_header(text, signature, SECRET, tolerance=300)
        except stripe.SignatureVerificationError:
            self.got.append((body, False))
            return 400
        self.got.append((body, True))
        return 200


@pytest.fixture
def hook() -> Iterator[Hook]:
    taker = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(taker.take(body, self.headers["Stripe-Signature"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taker.url = f"http://127.0.0.1:{server.server_port}/hook/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield taker
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def chaotic(tmp_path: Path, url: str, chaos: str) -> Iterator[LocalStripe]:
    environ = {"SANDBOX_STRIPE_WEBHOOKS": f"{url}|{SECRET}", "SANDBOX_STRIPE_CHAOS": chaos}
    with LocalStripe(tmp_path, **environ) as local:
        yield local


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    with LocalStripe(tmp_path_factory.mktemp("stripe")) as running:
        yield running


@pytest.fixture
def local(_running: LocalStripe) -> Iterator[LocalStripe]:
    """Calm before and after."""
    yield _running
    calm(_running)


def set_chaos(local: LocalStripe, **rates: Any) -> Any:
    return local.browser.post(f"{local.url}/control/chaos", json=rates, headers=CALM).json()


def calm(local: LocalStripe) -> None:
    local.browser.post(f"{local.url}/control/chaos/off", headers=CALM).raise_for_status()


def expire_one(local: LocalStripe) -> str:
    """One event, and nobody who waits for its delivery."""
    return local.client().v1.checkout.sessions.expire(local.checkout().id).id


def undelivered(local: LocalStripe) -> set[str]:
    return {str(event.type) for event in local.client().v1.events.list({"delivery_success": False}).data}


def session_ids(local: LocalStripe) -> set[str]:
    return {session.id for session in local.client().v1.checkout.sessions.list({"limit": 100}).data}


def test_nothing_goes_wrong_unless_somebody_asks_for_it(tmp_path: Path, hook: Hook) -> None:
    with chaotic(tmp_path, hook.url, "") as local:
        local.pay(local.checkout())
        eventually(lambda: not undelivered(local))

        assert [intact for _, intact in hook.got] == [True] * len(EVENTS)


def test_a_duplicate_is_the_same_event_signed_as_well(tmp_path: Path, hook: Hook) -> None:
    with chaotic(tmp_path, hook.url, "duplicate=100") as local:
        local.pay(local.checkout())
        eventually(lambda: not undelivered(local))

        bodies = sorted(body for body, intact in hook.got if intact)
        assert len(bodies) == len(hook.got) == 2 * len(EVENTS)
        assert bodies[::2] == bodies[1::2]


def test_what_is_dropped_never_arrives_and_counts_as_failed_until_it_is_tried_again(tmp_path: Path) -> None:
    with receiving() as shop, chaotic(tmp_path, shop.url, "drop=100") as local:
        assert local.pay(local.checkout()).status_code == 303
        assert undelivered(local) == EVENTS
        assert shop.received == []

        calm(local)
        eventually(lambda: not undelivered(local))
        assert {event["type"] for _, _, event in shop.received} == EVENTS


def test_what_is_corrupted_differs_by_one_byte_and_comes_intact_the_next_time(
    tmp_path: Path, hook: Hook
) -> None:
    with chaotic(tmp_path, hook.url, "corrupt=100") as local:
        expire_one(local)
        eventually(lambda: not undelivered(local))

        [(damaged, refused), (whole, taken)] = hook.got
        assert (refused, taken) == (False, True)
        assert len(damaged) == len(whole)
        assert sum(one != other for one, other in zip(damaged, whole, strict=True)) == 1


def test_a_reordered_delivery_goes_out_after_one_that_came_later(tmp_path: Path) -> None:
    with receiving() as shop, chaotic(tmp_path, shop.url, "reorder=100 reorder_seconds=600") as local:
        first, second = expire_one(local), expire_one(local)
        eventually(lambda: len(shop.received) == 2)

        assert [event["data"]["object"]["id"] for _, _, event in shop.received] == [second, first]


def test_what_nothing_overtakes_goes_out_all_the_same(tmp_path: Path) -> None:
    with receiving() as shop, chaotic(tmp_path, shop.url, "reorder=100 reorder_seconds=0.1") as local:
        expire_one(local)
        eventually(lambda: len(shop.received) == 1)


def test_a_delayed_delivery_lets_others_pass_and_goes_on_when_the_chaos_ends(tmp_path: Path) -> None:
    # With this seed the first delivery waits for some minutes, and the second does not wait.
    with receiving() as shop, chaotic(tmp_path, shop.url, "delay=50 delay_seconds=600 seed=2") as local:
        first, second = expire_one(local), expire_one(local)
        eventually(lambda: shop.received)
        assert [event["data"]["object"]["id"] for _, _, event in shop.received] == [second]

        calm(local)
        eventually(lambda: len(shop.received) == 2)
        assert shop.received[1][2]["data"]["object"]["id"] == first


def test_what_was_delayed_spares_an_endpoint_that_is_off_by_now(tmp_path: Path) -> None:
    with receiving() as shop, chaotic(tmp_path, shop.url, "delay=100 delay_seconds=600") as local:
        [endpoint] = local.browser.get(local.url, headers=CALM).json()["endpoints"]
        address = f"{local.url}/control/endpoints/{endpoint['id']}"
        expire_one(local)
        eventually(lambda: local.client().v1.events.list().data)
        local.browser.post(f"{address}/disable", headers=CALM).raise_for_status()
        calm(local)
        eventually(lambda: outcomes(local) == ["switched off"])
        assert shop.received == []

        local.browser.post(f"{address}/enable", headers=CALM).raise_for_status()
        eventually(lambda: outcomes(local) == ["200"])


def outcomes(local: LocalStripe) -> list[str]:
    """Of the only event's deliveries."""
    [event] = local.browser.get(local.url, headers=CALM).json()["events"]
    return [delivery["outcome"] for delivery in event["deliveries"]]


def test_a_seed_brings_the_same_luck_again(tmp_path: Path, hook: Hook) -> None:
    def luck(local: LocalStripe, seed: int) -> list[int]:
        """How often each of ten events came."""
        set_chaos(local, duplicate=50, seed=seed)
        counts = []
        for _ in range(10):
            before = len(hook.got)
            expire_one(local)
            eventually(lambda: not undelivered(local))
            counts.append(len(hook.got) - before)
        return counts

    with chaotic(tmp_path, hook.url, "") as local:
        first, again, other = (luck(local, seed) for seed in (7, 7, 8))
        assert first == again
        assert first != other
        assert set(first) == {1, 2}


def test_a_refused_call_did_nothing_and_uses_up_no_idempotency_key(local: LocalStripe) -> None:
    create = local.client().v1.checkout.sessions.create
    before = session_ids(local)
    set_chaos(local, api_500=100)
    with pytest.raises(stripe.APIError) as failed:
        create(checkout_params(), {"idempotency_key": "later"})
    assert failed.value.http_status == 500

    calm(local)
    assert session_ids(local) == before
    session = create(checkout_params(), {"idempotency_key": "later"})
    assert session_ids(local) - before == {session.id}


def test_a_limited_call_says_so_as_stripe_does(local: LocalStripe) -> None:
    set_chaos(local, api_429=100)
    with pytest.raises(stripe.RateLimitError) as limited:
        local.client().v1.events.list()

    error: Any = limited.value
    assert (error.http_status, error.json_body["error"]["code"]) == (429, "rate_limit")
    assert error.headers["retry-after"] == "1"
    assert error.headers["stripe-rate-limited-reason"] == "global-rate"
    assert str(error.request_id).startswith("req_")


def test_a_call_that_is_cut_off_was_done_once_and_is_answered_the_next_time(local: LocalStripe) -> None:
    create = local.client().v1.checkout.sessions.create
    before = session_ids(local)
    set_chaos(local, api_cut=100)
    with pytest.raises(stripe.APIConnectionError):
        create(checkout_params(), {"idempotency_key": "cut off"})

    calm(local)
    [made] = session_ids(local) - before
    session = create(checkout_params(), {"idempotency_key": "cut off"})
    assert session.id == made
    assert session.last_response is not None
    assert session.last_response.headers["idempotent-replayed"] == "true"


def test_the_sdk_comes_through_a_bad_line_by_itself(local: LocalStripe) -> None:
    before = session_ids(local)
    set_chaos(local, api_cut=50, seed=19)  # with this seed: twice
    session = local.client(retries=2).v1.checkout.sessions.create(checkout_params())

    calm(local)
    assert session_ids(local) - before == {session.id}


def test_a_slow_call_is_answered_in_the_end(local: LocalStripe) -> None:
    set_chaos(local, api_slow=100, api_slow_seconds=600)
    with pytest.raises(httpx.ReadTimeout):
        local.browser.get(f"{local.url}/v1/events", auth=(KEY, ""), timeout=0.3)

    set_chaos(local, api_slow_seconds=0)
    assert local.browser.get(f"{local.url}/v1/events", auth=(KEY, "")).status_code == 200


def test_a_connection_is_of_use_after_a_refusal_too(local: LocalStripe) -> None:
    with httpx.Client(base_url=local.url, auth=(KEY, "")) as one_connection:
        for status in (500, 429):
            set_chaos(local, api_500=100 * (status == 500), api_429=100 * (status == 429))
            answer = one_connection.post("/v1/checkout/sessions", content=b"x" * 100_000)
            assert answer.status_code == status
            calm(local)
            assert one_connection.get("/v1/events").status_code == 200


def test_the_pages_have_no_chaos(local: LocalStripe) -> None:
    session = local.checkout()
    set_chaos(local, api_500=100, api_429=100, api_cut=100)

    assert local.show(session).status_code == 200
    assert local.pay(session).status_code == 303
    assert local.browser.get(local.url).status_code == 200
    assert local.browser.get(f"{local.url}/healthz").status_code == 200


def test_what_is_not_named_stays_as_it_is_and_off_is_all_off(local: LocalStripe) -> None:
    set_chaos(local, duplicate=25, seed=7)
    rates = set_chaos(local, corrupt="2.5")

    assert (rates["duplicate"], rates["corrupt"], rates["seed"]) == (25, 2.5, 7)
    calm(local)
    rates = local.browser.get(local.url, headers=CALM).json()["chaos"]
    assert not any(value for name, value in rates.items() if not name.endswith(("_seconds", "seed")))


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({"duplicate": 101}, "duplicate must be a number from 0 to 100."),
        ({"drop": -1}, "drop must be a number from 0 to 100."),
        ({"drop": "nan"}, "drop must be a number from 0 to 100."),
        ({"drop": None}, "drop must be a number from 0 to 100."),
        ({"drop": [1]}, "drop must be a number from 0 to 100."),
        ({"delay_seconds": 601}, "delay_seconds must be a number from 0 to 600."),
        ({"explode": 1}, "There is no chaos called 'explode', only duplicate,"),
    ],
)
def test_a_rate_that_makes_no_sense_is_refused_and_changes_nothing(
    local: LocalStripe, rates: Any, words: str
) -> None:
    answer = local.browser.post(f"{local.url}/control/chaos", json={"reorder": 9} | rates, headers=CALM)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(words)
    assert local.browser.get(local.url, headers=CALM).json()["chaos"]["reorder"] == 0


@pytest.mark.parametrize("chaos", ["duplicate=101", "duplicate", "explode=1", "duplicate=1=2"])
def test_a_setting_that_makes_no_sense_is_one_clear_sentence(tmp_path: Path, chaos: str) -> None:
    process: subprocess.Popen[str] = LocalStripe(tmp_path, SANDBOX_STRIPE_CHAOS=chaos).spawn()
    errors = process.communicate(timeout=10)[1]

    assert process.returncode == 1
    assert errors.count("\n") == 1
