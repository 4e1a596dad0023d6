"""The control page of the local Stripe: what it shows, what its buttons do, and who may press them."""

import html
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.local_stripe import DECLINED_CARD, LocalStripe, eventually, line, receiving

JSON = {"Accept": "application/json"}
IBAN_THAT_PAYS = "AT61 1904 3002 3457 3201"
SHOP = "http://127.0.0.1:1/stripe-webhook/"  # nobody listens there


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    with LocalStripe(
        tmp_path_factory.mktemp("stripe"),
        SANDBOX_STRIPE_WEBHOOKS=f"{SHOP}|whsec_1",
        SANDBOX_STRIPE_RETRY_SECONDS="600",
        SANDBOX_STRIPE_DEBIT_SECONDS="3600",
    ) as running:
        yield running


def seen(local: LocalStripe) -> Any:
    return local.browser.get(local.url, headers=JSON).json()


def paid(local: LocalStripe, amount: int = 2999, currency: str = "usd", **fields: str) -> str:
    """Id of the payment."""
    answer = local.pay(local.checkout(line_items=[line("Mug", amount, 1, currency)]), **fields)
    assert answer.status_code == 303
    return str(seen(local)["payments"][0]["id"])


def payment(local: LocalStripe, payment_id: str) -> Any:
    return next(one for one in seen(local)["payments"] if one["id"] == payment_id)


def press(local: LocalStripe, button: str, **fields: str) -> httpx.Response:
    """As a browser does whose page is ours."""
    return local.browser.post(
        f"{local.url}/control/{button}", data=fields, headers={"Origin": local.url, "Accept": "text/html"}
    )


def do(local: LocalStripe, what: str, **fields: Any) -> httpx.Response:
    """As a script does."""
    return local.browser.post(f"{local.url}/control/{what}", json=fields, headers=JSON)


def test_the_page_shows_payments_events_and_their_deliveries(local: LocalStripe) -> None:
    charge = paid(local, 123456, "eur", email="grace@example.com")
    eventually(lambda: all(event["deliveries"][0]["attempts"] for event in seen(local)["events"]))
    page = local.browser.get(local.url)

    for words in (
        "€1,234.56",
        "grace@example.com",
        "4242",
        charge,
        SHOP,
        "next try",
        "ConnectError after 1 attempt",
    ):
        assert words in page.text
    assert "checkout.session.completed" in page.text.replace("<wbr>", "")
    for number in ("4000 0000 0000 0002", IBAN_THAT_PAYS):
        assert number in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        assert local.browser.get(local.url + asset).status_code == 200


def test_what_people_write_is_text_and_not_markup(local: LocalStripe) -> None:
    evil = "<script>alert(1)</script>@example.com"
    paid(local, email=evil)
    page = local.browser.get(local.url).text

    assert evil not in page
    assert html.escape(evil) in page


def test_a_refund_is_whole_or_the_amount_that_was_typed(local: LocalStripe) -> None:
    charge = paid(local, 2999)
    answer = press(local, f"payments/{charge}/refund", amount="5,50")

    assert (answer.status_code, answer.headers["location"]) == (303, "/#payments")
    assert payment(local, charge)["state"] == "partly refunded"
    assert payment(local, charge)["refundable"] == 2449
    assert 'placeholder="24.49"' in local.browser.get(local.url).text
    press(local, f"payments/{charge}/refund", amount="")
    assert (payment(local, charge)["state"], payment(local, charge)["refundable"]) == ("refunded", 0)
    assert [refund["amount"] for refund in payment(local, charge)["refunds"]] == [550, 2449]
    assert local.client().v1.charges.retrieve(charge).refunded


@pytest.mark.parametrize(("currency", "typed", "amount"), [("jpy", "120", 120), ("kwd", "1.250", 1250)])
def test_amounts_are_typed_with_the_decimals_of_their_currency(
    local: LocalStripe, currency: str, typed: str, amount: int
) -> None:
    charge = paid(local, 5000, currency)
    press(local, f"payments/{charge}/refund", amount=typed)

    assert payment(local, charge)["amount_refunded"] == amount


@pytest.mark.parametrize("typed", ["1.234", "1e99", "much", "NaN", "Infinity", "0", "-5", "30", "１２３４５"])
def test_an_amount_that_makes_no_sense_is_refused_with_a_sentence_on_the_page(
    local: LocalStripe, typed: str
) -> None:
    charge = paid(local, 2999)
    answer = press(local, f"payments/{charge}/refund", amount=typed)

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "Payments</h2>" in answer.text
    assert payment(local, charge)["amount_refunded"] == 0


@pytest.mark.parametrize("amount", [10**30, 1.5, True, [1], {}, 0, -1, 3000])
def test_an_amount_that_makes_no_sense_is_refused_to_a_script_too(local: LocalStripe, amount: Any) -> None:
    charge = paid(local, 2999)
    answer = do(local, f"payments/{charge}/refund", amount=amount)

    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert do(local, f"payments/{charge}/refund", amount=2999).json()["state"] == "refunded"


@pytest.mark.parametrize(("verdict", "status"), [("win", "won"), ("lose", "lost")])
def test_a_dispute_is_opened_and_decided(local: LocalStripe, verdict: str, status: str) -> None:
    charge = paid(local)
    press(local, f"payments/{charge}/dispute")
    assert [dispute["status"] for dispute in payment(local, charge)["disputes"]] == ["needs_response"]
    assert payment(local, charge)["refundable"] == 0

    press(local, f"payments/{charge}/{verdict}-dispute")
    assert [dispute["status"] for dispute in payment(local, charge)["disputes"]] == [status]
    again = press(local, f"payments/{charge}/{verdict}-dispute")
    assert again.status_code == 400
    assert "already closed" in again.text


@pytest.mark.parametrize(("verdict", "state"), [("succeed", "succeeded"), ("fail", "failed")])
def test_a_bank_debit_is_decided_now_instead_of_later(local: LocalStripe, verdict: str, state: str) -> None:
    charge = paid(local, currency="eur", method="debit", iban=IBAN_THAT_PAYS)
    assert payment(local, charge)["state"] == "pending"

    press(local, f"payments/{charge}/{verdict}")
    assert payment(local, charge)["state"] == state
    assert do(local, f"payments/{charge}/{verdict}").status_code == 400


def test_a_declined_payment_has_nothing_to_refund_or_to_dispute(local: LocalStripe) -> None:
    local.pay(local.checkout(), DECLINED_CARD)
    newest = seen(local)["payments"][0]

    assert (newest["state"], newest["refundable"]) == ("failed", 0)
    assert newest["failure"] == "Your card was declined."
    for button in ("refund", "dispute", "win-dispute"):
        assert do(local, f"payments/{newest['id']}/{button}").status_code == 400


def test_an_event_is_sent_again_to_one_endpoint_or_to_all_that_are_on(tmp_path: Any) -> None:
    with receiving() as one, receiving() as other:
        pairs = f"{one.url}|first {other.url}|second"
        with LocalStripe(tmp_path, SANDBOX_STRIPE_WEBHOOKS=pairs) as local:
            local.client().v1.checkout.sessions.expire(local.checkout().id)
            eventually(lambda: one.received and other.received)
            [event] = seen(local)["events"]

            do(local, f"events/{event['id']}/send-again", url=one.url)
            eventually(lambda: len(one.received) == 2)
            press(local, f"events/{event['id']}/send-again")
            eventually(lambda: (len(one.received), len(other.received)) == (3, 2))

            off = next(endpoint for endpoint in seen(local)["endpoints"] if endpoint["url"] == other.url)
            do(local, f"endpoints/{off['id']}/disable")
            refused = do(local, f"events/{event['id']}/send-again", url=other.url)
            assert refused.json()["error"]["message"] == "No such endpoint is switched on: nothing was sent."


def test_an_endpoint_is_switched_by_its_button(local: LocalStripe) -> None:
    [endpoint] = seen(local)["endpoints"]
    answer = press(local, f"endpoints/{endpoint['id']}/disable")
    assert (answer.status_code, answer.headers["location"]) == (303, "/#endpoints")
    assert "Switch on" in local.browser.get(local.url).text

    assert do(local, f"endpoints/{endpoint['id']}/enable").json()["status"] == "enabled"
    assert "Switch off" in local.browser.get(local.url).text


def test_chaos_is_set_by_the_form(local: LocalStripe) -> None:
    answer = press(local, "chaos", duplicate="12.5", drop="0", seed="3")
    assert (answer.status_code, answer.headers["location"]) == (303, "/#chaos")
    assert re.search(r'id="duplicate"[^>]* value="12.5"', local.browser.get(local.url).text)

    press(local, "chaos/off")
    assert re.search(r'id="duplicate"[^>]* value="0"', local.browser.get(local.url).text)


STRANGERS = {
    "another port": {"Origin": "http://127.0.0.1:8000"},
    "another host": {"Origin": "https://evil.example"},
    "a sandboxed page": {"Origin": "null"},
    "a link from elsewhere": {"Sec-Fetch-Site": "cross-site"},
    "the shop on this machine": {"Sec-Fetch-Site": "same-site"},
    "elsewhere with our origin": {"Sec-Fetch-Site": "cross-site", "Origin": "ours"},
    "a name that leads here": {"Host": "evil.example"},
}


@pytest.mark.parametrize("headers", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-www-form-urlencoded"])
def test_a_page_from_elsewhere_drives_nothing(local: LocalStripe, headers: dict[str, str], kind: str) -> None:
    headers = {name: value.replace("ours", local.url) for name, value in headers.items()} | {
        "Content-Type": kind
    }
    before = seen(local)
    [endpoint] = before["endpoints"]
    for path, body in (
        ("chaos", '{"drop": 100}'),
        ("chaos", "drop=100"),
        (f"endpoints/{endpoint['id']}/roll-secret", "{}"),
        (f"endpoints/{endpoint['id']}/disable", ""),
    ):
        answer = local.browser.post(f"{local.url}/control/{path}", content=body, headers=headers)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    after = seen(local)
    assert (after["chaos"], after["endpoints"]) == (before["chaos"], before["endpoints"])


def test_a_strangers_name_for_this_machine_shows_no_secret(local: LocalStripe) -> None:
    for accept in ("text/html", "application/json"):
        answer = local.browser.get(local.url, headers={"Host": "evil.example", "Accept": accept})
        assert answer.status_code == 403
        assert "whsec_" not in answer.text


def test_a_get_changes_nothing(local: LocalStripe) -> None:
    [endpoint] = seen(local)["endpoints"]

    assert local.browser.get(f"{local.url}/control/endpoints/{endpoint['id']}/disable").status_code == 404
    assert seen(local)["endpoints"] == [endpoint]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("payments/ch_nobody/refund", 404),
        ("payments/ch_nobody/dispute", 404),
        ("events/evt_nobody/send-again", 404),
        ("endpoints/we_nobody/disable", 404),
        ("endpoints/we_nobody/roll-secret", 404),
        ("nothing", 404),
    ],
)
def test_what_is_not_there_is_not_found(local: LocalStripe, path: str, status: int) -> None:
    assert do(local, path).status_code == status
    assert press(local, path).status_code == status


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff", b"[" * 10_000, b"x" * 30_000])
def test_a_body_that_cannot_be_read_is_refused(local: LocalStripe, body: bytes) -> None:
    headers = JSON | {"Content-Type": "application/json"}
    answer = local.browser.post(f"{local.url}/control/chaos", content=body, headers=headers)

    assert answer.status_code in (400, 413)
    assert "message" in answer.json()["error"]
