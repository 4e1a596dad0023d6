"""The hosted payment page, as a browser without JavaScript uses it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.local_stripe import DECLINED_CARD, POOR_CARD, LocalStripe, eventually, line


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    folder = tmp_path_factory.mktemp("stripe")
    with LocalStripe(folder, SANDBOX_STRIPE_MIN_EXPIRY_SECONDS="0") as running:
        yield running


def retrieve(local: LocalStripe, session_id: str) -> Any:
    return local.client().v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent"]})


def events_of(local: LocalStripe, session_id: str) -> list[str]:
    """The types of the events of a session and of its payment, oldest first."""
    session = retrieve(local, session_id)
    ids = {session_id, session.payment_intent and session.payment_intent.id}
    listed = local.client().v1.events.list({"limit": 100}).data
    return [str(event.type) for event in listed if event.data.object["id"] in ids][::-1]


def test_the_page_shows_what_is_bought_from_whom_and_that_it_is_a_test(local: LocalStripe) -> None:
    session = local.checkout(
        line_items=[line("Enamel mug", 125050, 2), line("Tea", 500)], customer_email="ada@example.com"
    )
    page = local.show(session)

    for words in ("Enamel mug", "A fine Enamel mug", "Quantity 2 × $1,250.50", "$2,501.00", "$2,506.00"):
        assert words in page.text
    for words in ("Local test page.", "No real money moves", "4242 4242 4242 4242", "Back to Shopbell"):
        assert words in page.text
    assert 'id="cancel" href="http://127.0.0.1:1/basket"' in page.text
    assert 'value="ada@example.com"' in page.text
    for name in ("email", "cardNumber", "cardExpiry", "cardCvc", "billingName"):
        assert f'id="{name}" name="{name}"' in page.text
        assert f'<label for="{name}">' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for asset in ("page.css", "page.js", "icon.svg"):
        assert local.browser.get(f"{local.url}/static/{asset}").status_code == 200


@pytest.mark.parametrize(
    ("currency", "amount", "locale", "shown"),
    [
        ("jpy", 1500, "en", "¥1,500"),
        ("kwd", 1500, "en", "KWD\xa01.500"),
        ("eur", 123456, "de", "1.234,56\xa0€"),
        ("huf", 12345600, "en", "HUF\xa0123,456.00"),
        ("isk", 150000, "en", "ISK\xa01,500"),
        ("ugx", 150000, "de", "1.500\xa0UGX"),
        ("usd", 1500, "auto", "$15.00"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(
    local: LocalStripe, currency: str, amount: int, locale: str, shown: str
) -> None:
    session = local.checkout(line_items=[line("Tea", amount, 1, currency)], locale=locale)

    assert shown in local.show(session).text


def test_what_the_merchant_and_the_shopper_write_is_text_and_not_markup(local: LocalStripe) -> None:
    evil = "<script>alert('mug')</script>"
    session = local.checkout(line_items=[line(evil, 500)], branding_settings={"display_name": "A & <b>B</b>"})
    page = local.pay(session, "1234", email='"><img src=x>')

    assert evil not in page.text
    assert "<img src=x>" not in page.text
    assert "Back to A &amp; &lt;b&gt;B&lt;/b&gt;" in page.text


def test_a_good_card_pays_and_leads_back_to_the_shop(local: LocalStripe) -> None:
    session = local.checkout(metadata={"order": "1"}, payment_intent_data={"metadata": {"order": "1"}})
    answer = local.pay(session)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"http://127.0.0.1:1/thanks?session={session.id}"
    paid = retrieve(local, session.id)
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert (paid.customer_details.email, paid.customer_details.name) == ("ada@example.com", "Ada Lovelace")
    assert (paid.payment_intent.status, paid.payment_intent.amount_received) == ("succeeded", 2999)
    assert paid.payment_intent.metadata.order == "1"
    assert events_of(local, session.id) == [
        "payment_intent.created",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


@pytest.mark.parametrize(
    ("card", "words", "code"),
    [
        (DECLINED_CARD, "Your card was declined.", "generic_decline"),
        (POOR_CARD, "Your card has insufficient funds.", "insufficient_funds"),
    ],
)
def test_a_declined_card_leaves_the_session_open_for_another(
    local: LocalStripe, card: str, words: str, code: str
) -> None:
    session = local.checkout()
    answer = local.pay(session, card)

    assert answer.status_code == 402
    assert words in answer.text
    assert 'value="ada@example.com"' in answer.text
    declined = retrieve(local, session.id)
    assert (declined.status, declined.payment_status) == ("open", "unpaid")
    assert declined.payment_intent.status == "requires_payment_method"
    assert declined.payment_intent.last_payment_error.decline_code == code

    assert local.pay(session).status_code == 303
    assert events_of(local, session.id) == [
        "payment_intent.created",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    assert retrieve(local, session.id).payment_intent.id == declined.payment_intent.id


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cardNumber", "", "Enter a card number"),
        ("cardNumber", "4242 4242 4242 4241", "Your card number is not valid."),
        ("cardNumber", "cards", "Your card number is not valid."),
        ("cardNumber", "5555 5555 5555 4444", "No real cards here, please."),
        ("cardExpiry", "13 / 34", "Enter month and year"),
        ("cardExpiry", "01 / 20", "in the past"),
        ("cardCvc", "12", "Enter the three digits"),
        ("billingName", " ", "Enter the name on the card"),
        ("email", "ada@example", "Enter an e-mail address"),
    ],
)
def test_a_mistake_is_told_at_its_field_and_the_rest_is_kept(
    local: LocalStripe, name: str, value: str, words: str
) -> None:
    session = local.checkout()
    answer = local.pay(session, **{name: value})

    assert answer.status_code == 422
    told = answer.text.split(f'id="{name}-error">')[1].split("</p>")[0]
    assert words in told
    assert f'aria-describedby="{name}-error"' in answer.text
    if name != "email":
        assert 'value="ada@example.com"' in answer.text
    assert events_of(local, session.id) == []


def test_a_number_that_could_be_real_is_not_sent_back_nor_kept(local: LocalStripe) -> None:
    session = local.checkout()
    assert "5555 5555" not in local.pay(session, "5555 5555 5555 4444").text
    local.pay(session)

    kept = b"".join(file.read_bytes() for file in (local.data_dir / "stripe").iterdir())
    assert b"5555555555554444" not in kept
    assert b"4242424242424242" not in kept
    assert b"4242 4242 4242 4242" not in kept


def test_a_test_card_is_filled_in_on_request(local: LocalStripe) -> None:
    session = local.checkout()
    page = local.browser.post(local.page(session), data={"fill": "1", "email": "me@example.com"}).text

    for value in ("4242 4242 4242 4242", "123", "Test Shopper", "me@example.com"):
        assert f'value="{value}"' in page
    assert events_of(local, session.id) == []


@pytest.mark.parametrize("expiry", ["12/34", "1234", "12 / 2034", "12 34"])
def test_the_expiry_is_read_as_people_write_it(local: LocalStripe, expiry: str) -> None:
    assert local.pay(local.checkout(), cardExpiry=expiry).status_code == 303


def test_ten_submissions_at_once_pay_once(local: LocalStripe) -> None:
    session = local.checkout()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _number: local.pay(session), range(10)))

    assert {answer.headers["location"] for answer in answers} == {
        f"http://127.0.0.1:1/thanks?session={session.id}"
    }
    assert events_of(local, session.id).count("checkout.session.completed") == 1
    assert events_of(local, session.id).count("payment_intent.succeeded") == 1


def test_a_paid_session_says_so_and_leads_back(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session)
    page = local.show(session)

    assert "This payment is complete" in page.text
    assert f'href="http://127.0.0.1:1/thanks?session={session.id}"' in page.text
    assert "cardNumber" not in page.text


def test_an_expired_session_cannot_be_paid_and_leads_back(local: LocalStripe) -> None:
    session = local.checkout()
    local.client().v1.checkout.sessions.expire(session.id)

    for page in (local.show(session), local.pay(session), local.pay(session, DECLINED_CARD)):
        assert page.status_code == 410
        assert "This payment page has expired" in page.text
        assert 'href="http://127.0.0.1:1/basket"' in page.text
    assert events_of(local, session.id) == ["checkout.session.expired"]


def test_a_session_expires_by_itself_and_takes_its_declined_payment_along(local: LocalStripe) -> None:
    session = local.checkout(expires_at=int(time.time()) + 1)
    local.pay(session, DECLINED_CARD)

    eventually(lambda: retrieve(local, session.id).status == "expired")
    assert retrieve(local, session.id).payment_intent.status == "canceled"
    assert events_of(local, session.id)[-2:] == ["payment_intent.canceled", "checkout.session.expired"]


def test_an_unknown_page_is_a_page_too(local: LocalStripe) -> None:
    for path in ("/c/pay/cs_test_nobody", "/c/pay/", "/dashboard", "/static/../config.py"):
        answer = local.browser.get(local.url + path)
        assert answer.status_code == 404
        assert "There is no payment page at this address" in answer.text
    assert local.browser.post(local.page(local.checkout()), content=b"x" * 30_000).status_code == 413
