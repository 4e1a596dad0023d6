"""3-D Secure: the shopper's bank wants to know who pays before it says anything else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.local_stripe import AUTHENTICATED_CARD, AUTHENTICATED_POOR_CARD, LocalStripe

TOLD = "We are unable to authenticate your payment method."


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    with LocalStripe(tmp_path_factory.mktemp("stripe")) as running:
        yield running


def test_the_bank_asks_before_anything_is_charged(local: LocalStripe) -> None:
    session = local.checkout()
    answer = local.pay(session, AUTHENTICATED_CARD)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/c/pay/{session.id}/authenticate"
    payment = local.payment(session)
    assert (payment.status, payment.latest_charge) == ("requires_action", None)
    assert payment.next_action.redirect_to_url.url == local.page(session) + "/authenticate"
    assert local.client().v1.checkout.sessions.retrieve(session.id).status == "open"
    page = local.browser.get(payment.next_action.redirect_to_url.url)
    for words in ("$29.99 to Shopbell", "3184", 'id="authenticate"', 'id="fail-authentication"'):
        assert words in page.text


def test_who_authenticates_pays_and_is_led_back(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session, AUTHENTICATED_CARD)
    answer = local.authenticate(session)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"http://127.0.0.1:1/thanks?session={session.id}"
    now = local.client().v1.checkout.sessions.retrieve(session.id)
    assert (now.status, now.payment_status) == ("complete", "paid")
    assert now.customer_details is not None
    assert now.customer_details.email == "ada@example.com"
    payment = local.payment(session)
    assert (payment.status, payment.next_action) == ("succeeded", None)
    card = payment.latest_charge.payment_method_details.card
    assert (card.three_d_secure.result, card.last4) == ("authenticated", "3184")
    assert local.events_about(session.id, payment.id, payment.latest_charge.id) == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_who_fails_to_authenticate_is_back_on_the_page_and_pays_another_way(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session, AUTHENTICATED_CARD)
    answer = local.authenticate(session, "fail")

    assert answer.status_code == 402
    assert TOLD in answer.text
    assert 'value="ada@example.com"' in answer.text
    # The page has another address now: the form must not go there.
    assert f'<form method="post" action="/c/pay/{session.id}"' in answer.text
    payment = local.payment(session)
    assert (payment.status, payment.payment_method) == ("requires_payment_method", None)
    assert payment.last_payment_error.code == "payment_intent_authentication_failure"
    assert local.events_about(session.id, payment.id) == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "payment_intent.payment_failed",
    ]

    assert local.pay(session).status_code == 303
    assert local.payment(session).status == "succeeded"


def test_a_card_can_be_declined_after_authentication(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session, AUTHENTICATED_POOR_CARD)
    answer = local.authenticate(session)

    assert answer.status_code == 402
    assert "Your card has insufficient funds." in answer.text
    payment = local.payment(session)
    assert payment.status == "requires_payment_method"
    assert payment.last_payment_error.decline_code == "insufficient_funds"


def test_another_card_can_be_taken_instead_of_authenticating(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session, AUTHENTICATED_CARD)

    assert 'id="cardNumber"' in local.show(session).text
    assert local.pay(session).status_code == 303
    assert local.payment(session).latest_charge.payment_method_details.card.last4 == "4242"


@pytest.mark.parametrize("outcome", ["complete", "fail"])
def test_without_a_question_an_answer_changes_nothing(local: LocalStripe, outcome: str) -> None:
    opened, paid = local.checkout(), local.checkout()
    local.pay(paid)
    before = local.payment(paid)

    for answer in (
        local.authenticate(opened, outcome),
        local.browser.get(local.page(opened) + "/authenticate"),
    ):
        assert (answer.status_code, answer.headers["location"]) == (303, f"/c/pay/{opened.id}")
    assert local.payment(opened) is None
    assert local.authenticate(paid, outcome).headers["location"].startswith("http://127.0.0.1:1/thanks")
    assert local.payment(paid) == before


def test_an_unknown_session_and_a_long_answer_are_told_so(local: LocalStripe) -> None:
    unknown = f"{local.url}/c/pay/cs_test_nobody/authenticate"
    assert local.browser.get(unknown).status_code == 404
    assert local.browser.post(unknown).status_code == 404
    known = local.page(local.checkout()) + "/authenticate"
    assert local.browser.post(known, content=b"x" * 30_000).status_code == 413


def test_ten_answers_at_once_pay_once(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session, AUTHENTICATED_CARD)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _number: local.authenticate(session), range(10)))

    assert {answer.headers["location"] for answer in answers} == {
        f"http://127.0.0.1:1/thanks?session={session.id}"
    }
    payment = local.payment(session)
    assert len(local.client().v1.charges.list({"payment_intent": payment.id}).data) == 1
    assert local.events_about(session.id).count("checkout.session.completed") == 1


def test_when_the_session_expires_an_answer_comes_too_late(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session, AUTHENTICATED_CARD)
    local.client().v1.checkout.sessions.expire(session.id)

    assert local.authenticate(session).status_code == 410
    payment = local.payment(session)
    assert (payment.status, payment.next_action, payment.latest_charge) == ("canceled", None, None)
