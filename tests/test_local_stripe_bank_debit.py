"""Bank debits: the shopper is back in the shop long before anybody knows whether the money comes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.local_stripe import (
    DISPUTED_IBAN,
    FAILING_IBAN,
    GOOD_IBAN,
    POOR_IBAN,
    LocalStripe,
    eventually,
    line,
    receiving,
)

SUBMITTED = [
    "payment_intent.created",
    "charge.pending",
    "payment_intent.processing",
    "checkout.session.completed",
]


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    """Its banks take an hour."""
    folder = tmp_path_factory.mktemp("stripe")
    with LocalStripe(folder, SANDBOX_STRIPE_DEBIT_SECONDS="3600") as running:
        yield running


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    """Its banks answer as soon as they are asked."""
    folder = tmp_path_factory.mktemp("stripe")
    with LocalStripe(folder, SANDBOX_STRIPE_DEBIT_SECONDS="0") as running:
        yield running


def settled(local: LocalStripe, session: Any) -> Any:
    """The PaymentIntent once the bank has decided."""
    return eventually(lambda: (now := local.payment(session)).status != "processing" and now)


def events_of(local: LocalStripe, session: Any) -> list[str]:
    payment = local.payment(session)
    return local.events_about(session.id, payment.id, payment.latest_charge.id)


def test_a_debit_completes_the_session_before_the_money_is_there(patient: LocalStripe) -> None:
    session = patient.checkout()
    answer = patient.debit(session)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"http://127.0.0.1:1/thanks?session={session.id}"
    now = patient.client().v1.checkout.sessions.retrieve(session.id)
    assert (now.status, now.payment_status, now.url) == ("complete", "unpaid", None)
    payment = patient.payment(session)
    assert (payment.status, payment.amount_received) == ("processing", 0)
    assert (payment.latest_charge.status, payment.latest_charge.paid) == ("pending", False)
    assert events_of(patient, session) == SUBMITTED


def test_a_debit_that_the_bank_pays_makes_the_session_paid(quick: LocalStripe) -> None:
    session = quick.checkout()
    quick.debit(session)
    payment = settled(quick, session)

    assert (payment.status, payment.amount_received) == ("succeeded", 2999)
    assert (payment.latest_charge.status, payment.latest_charge.paid) == ("succeeded", True)
    now = quick.client().v1.checkout.sessions.retrieve(session.id)
    assert (now.status, now.payment_status) == ("complete", "paid")
    assert events_of(quick, session) == [
        *SUBMITTED,
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]


@pytest.mark.parametrize(
    ("iban", "code"),
    [(FAILING_IBAN, "payment_intent_payment_attempt_failed"), (POOR_IBAN, "insufficient_funds")],
)
def test_a_debit_that_the_bank_refuses_leaves_the_session_unpaid_for_good(
    quick: LocalStripe, iban: str, code: str
) -> None:
    session = quick.checkout()
    quick.debit(session, iban)
    payment = settled(quick, session)

    assert (payment.status, payment.amount_received) == ("requires_payment_method", 0)
    assert payment.last_payment_error.code == code
    assert (payment.latest_charge.status, payment.latest_charge.failure_code) == ("failed", code)
    now = quick.client().v1.checkout.sessions.retrieve(session.id)
    assert (now.status, now.payment_status) == ("complete", "unpaid")
    assert events_of(quick, session) == [
        *SUBMITTED,
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]


def test_a_debit_can_be_disputed_as_soon_as_it_is_paid(quick: LocalStripe) -> None:
    session = quick.checkout()
    quick.debit(session, DISPUTED_IBAN)
    payment = settled(quick, session)

    [dispute] = quick.client().v1.disputes.list({"payment_intent": payment.id}).data
    assert (payment.status, payment.latest_charge.disputed) == ("succeeded", True)
    assert (dispute.status, dispute.amount) == ("needs_response", 2999)


def test_the_shop_hears_of_it_without_anybody_asking(tmp_path: Path) -> None:
    with (
        receiving() as shop,
        LocalStripe(
            tmp_path, SANDBOX_STRIPE_WEBHOOKS=f"{shop.url}|whsec_1", SANDBOX_STRIPE_DEBIT_SECONDS="0"
        ) as local,
    ):
        session = local.checkout()
        local.debit(session)

        eventually(lambda: shop.of("checkout.session.async_payment_succeeded"))
        [(_, _, event)] = shop.of("checkout.session.async_payment_succeeded")
        assert event["data"]["object"]["id"] == session.id
        assert event["data"]["object"]["payment_status"] == "paid"
        assert event["request"] == {"id": None, "idempotency_key": None}


def test_the_bank_takes_its_time(tmp_path: Path) -> None:
    with LocalStripe(tmp_path, SANDBOX_STRIPE_DEBIT_SECONDS="2") as local:
        session = local.checkout()
        local.debit(session)
        settled(local, session)

        newest, *_, created = local.client().v1.events.list().data
        assert newest.type == "checkout.session.async_payment_succeeded"
        assert newest.created - created.created >= 2


@pytest.mark.parametrize(
    ("currency", "kind"),
    [
        ("eur", "sepa_debit"),
        ("usd", "us_bank_account"),
        ("gbp", "bacs_debit"),
        ("jpy", "sepa_debit"),
    ],
)
def test_every_currency_has_its_kind_of_debit(patient: LocalStripe, currency: str, kind: str) -> None:
    session = patient.checkout(line_items=[line("Tea", 500, 1, currency)])
    patient.debit(session)

    assert session.payment_method_types == ["card", kind]
    details = patient.payment(session).latest_charge.payment_method_details
    assert (details.type, details[kind].last4) == (kind, "3201")


def test_the_page_offers_what_the_shop_allows(patient: LocalStripe) -> None:
    only_card = patient.checkout(allowed_payment_method_types=["card"])
    only_debit = patient.checkout(allowed_payment_method_types=["us_bank_account"])

    assert 'id="iban"' not in patient.show(only_card).text
    assert 'id="cardNumber"' not in patient.show(only_debit).text
    assert patient.debit(only_card).status_code == 422
    assert patient.pay(only_debit).status_code == 422
    assert patient.pay(only_card).status_code == 303
    assert patient.debit(only_debit, method="").status_code == 303


def test_card_or_debit_is_chosen_without_javascript(patient: LocalStripe) -> None:
    page = patient.show(patient.checkout()).text

    for method, label, chosen in (("card", "Card", " checked"), ("debit", "Bank debit", "")):
        radio = f'type="radio" name="method" id="method-{method}" value="{method}"{chosen}>'
        assert radio in page
        assert f'<label for="method-{method}">{label}</label>' in page


@pytest.mark.parametrize(
    ("iban", "words"),
    [
        ("", "Enter an IBAN"),
        ("AT61", "The IBAN you entered is invalid."),
        ("AT611904300234573202", "The IBAN you entered is invalid."),
        ("4242424242424242", "The IBAN you entered is invalid."),
        ("DE89370400440532013000", "No real accounts here, please."),
    ],
)
def test_a_mistake_is_told_at_the_iban_and_the_choice_is_kept(
    patient: LocalStripe, iban: str, words: str
) -> None:
    session = patient.checkout()
    answer = patient.debit(session, iban)

    assert answer.status_code == 422
    assert words in answer.text.split('id="iban-error">')[1].split("</p>")[0]
    assert 'value="debit" checked>' in answer.text
    assert 'value="ada@example.com"' in answer.text
    assert patient.payment(session) is None


def test_an_iban_that_could_be_real_is_not_sent_back_nor_kept(patient: LocalStripe) -> None:
    session = patient.checkout()
    assert "DE89" not in patient.debit(session, "DE89 3704 0044 0532 0130 00").text
    patient.debit(session)

    kept = b"".join(file.read_bytes() for file in (patient.data_dir / "stripe").iterdir())
    assert b"DE89" not in kept
    assert GOOD_IBAN.encode() not in kept


def test_a_test_account_is_filled_in_on_request(patient: LocalStripe) -> None:
    typed = {"fill": "1", "method": "debit"}
    page = patient.browser.post(patient.page(patient.checkout()), data=typed).text

    assert 'value="AT61 1904 3002 3457 3201"' in page
    assert 'value="debit" checked>' in page


def test_the_page_of_a_debit_says_how_it_stands(patient: LocalStripe, quick: LocalStripe) -> None:
    waiting, paid, failed = patient.checkout(), quick.checkout(), quick.checkout()
    patient.debit(waiting)
    quick.debit(paid)
    quick.debit(failed, FAILING_IBAN)
    settled(quick, paid)
    settled(quick, failed)

    assert "Your bank debit is on its way" in patient.show(waiting).text
    assert "This payment is complete" in quick.show(paid).text
    assert "Your bank debit failed" in quick.show(failed).text


def test_a_good_debit_that_fails_by_hand_has_a_reason(patient: LocalStripe) -> None:
    session = patient.checkout()
    patient.debit(session)
    button = f"{patient.url}/control/payments/{patient.payment(session).latest_charge.id}/fail"
    assert patient.browser.post(button, json={}).status_code == 303

    payment = patient.payment(session)
    assert payment.last_payment_error.code == "payment_intent_payment_attempt_failed"
    assert payment.latest_charge.failure_message == "The payment failed."


def test_money_that_is_not_there_yet_cannot_be_refunded(patient: LocalStripe) -> None:
    session = patient.checkout()
    patient.debit(session)
    payment = patient.payment(session)

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge to refund"):
        patient.client().v1.refunds.create({"payment_intent": payment.id})


def test_a_session_that_waits_for_its_bank_cannot_be_expired(patient: LocalStripe) -> None:
    session = patient.checkout()
    patient.debit(session)

    with pytest.raises(stripe.InvalidRequestError, match="has a status of `complete`"):
        patient.client().v1.checkout.sessions.expire(session.id)
    assert patient.payment(session).status == "processing"
