"""What the local Stripe takes and refuses, as the official SDK sees it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from stripe.checkout import Session

from tests.local_stripe import DECLINED_CARD, KEY, LocalStripe, checkout_params, line


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    with LocalStripe(tmp_path_factory.mktemp("stripe")) as running:
        yield running


def refusal(local: LocalStripe, **params: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        local.checkout(**params)
    return refused.value


def test_a_session_keeps_what_it_was_opened_with_and_adds_it_up(local: LocalStripe) -> None:
    session = local.checkout(client_reference_id="order-7", metadata={"order": "7"}, locale="de")

    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert (session.amount_total, session.currency, session.livemode) == (2999, "usd", False)
    assert session.to_dict()["metadata"] == {"order": "7"}
    assert (session.client_reference_id, session.locale) == ("order-7", "de")
    assert session.url == local.page(session)
    assert session.expires_at - session.created == 24 * 3600


def test_line_items_come_in_the_order_of_the_cart_page_by_page(local: LocalStripe) -> None:
    session = local.checkout(line_items=[line(f"Thing {number}", 100 + number) for number in range(5)])
    v1 = local.client().v1

    first = v1.checkout.sessions.line_items.list(session.id, {"limit": 2})
    assert [item.description for item in first.data] == ["Thing 0", "Thing 1"]
    assert first.has_more
    every = list(first.auto_paging_iter())
    assert [item.description for item in every] == [f"Thing {number}" for number in range(5)]
    before: Any = {"limit": 2, "ending_before": every[3].id}
    back = v1.checkout.sessions.line_items.list(session.id, before)
    assert [item.description for item in back.data] == ["Thing 1", "Thing 2"]


def test_lists_go_from_the_newest_to_the_oldest_in_both_directions(local: LocalStripe) -> None:
    opened = [local.checkout().id for _ in range(4)][::-1]
    sessions = local.client().v1.checkout.sessions

    page = sessions.list({"limit": 2})
    assert [session.id for session in page.data] == opened[:2]
    assert page.has_more
    assert [one.id for one in sessions.list({"limit": 2, "starting_after": opened[1]}).data] == opened[2:]
    assert [one.id for one in sessions.list({"limit": 2, "ending_before": opened[3]}).data] == opened[1:3]


def test_a_session_is_found_by_its_payment_by_its_state_and_by_its_buyer(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session, email="only@example.com")
    sessions = local.client().v1.checkout.sessions
    intent = str(sessions.retrieve(session.id).payment_intent)

    assert [one.id for one in sessions.list({"payment_intent": intent}).data] == [session.id]
    assert [one.id for one in sessions.list({"status": "complete"}).data] == [session.id]
    buyer: Any = {"customer_details": {"email": "only@example.com"}}
    assert [one.id for one in sessions.list(buyer).data] == [session.id]


def test_events_are_found_by_type_and_time(local: LocalStripe) -> None:
    local.pay(local.checkout())
    events = local.client().v1.events
    now = int(time.time())

    assert {event.type for event in events.list({"type": "payment_intent.*"}).data} == {
        "payment_intent.created",
        "payment_intent.succeeded",
    }
    both = ["charge.succeeded", "checkout.session.completed"]
    assert {event.type for event in events.list({"types": both}).data} == set(both)
    assert events.list({"created": {"gte": now + 60}}).data == []
    assert events.list({"created": {"gte": now - 60, "lt": now + 60}}).data != []
    newest = events.list({"limit": 1}).data[0]
    assert events.retrieve(newest.id) == newest


def test_a_payment_and_its_attempts_are_found(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session, DECLINED_CARD)
    local.pay(session)
    payment = local.payment(session)
    v1 = local.client().v1

    charges = v1.charges.list({"payment_intent": payment.id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]
    assert v1.charges.retrieve(charges[0].id).id == payment.latest_charge.id
    assert v1.payment_intents.list({"limit": 1}).data[0].id == payment.id
    assert v1.payment_intents.list({"created": {"gt": payment.created + 60}}).data == []
    method = v1.payment_methods.retrieve(str(payment.payment_method))
    assert method.card is not None
    assert (method.card.last4, method.billing_details.email) == ("4242", "ada@example.com")


def test_expansion_puts_the_object_where_its_id_was(local: LocalStripe) -> None:
    session = local.checkout()
    local.pay(session)
    expand: Any = {"expand": ["payment_intent.latest_charge", "line_items.data.price.product", "customer"]}
    expanded: Any = local.client().v1.checkout.sessions.retrieve(session.id, expand)

    assert expanded.payment_intent.latest_charge.payment_method_details.card.last4 == "4242"
    listed: Any = {"payment_intent": expanded.payment_intent.id, "expand": ["data.payment_intent"]}
    [found] = local.client().v1.checkout.sessions.list(listed).data
    assert found.payment_intent == local.client().v1.payment_intents.retrieve(expanded.payment_intent.id)
    method: Any = {"expand": ["payment_method", "latest_charge.refunds", "latest_charge.balance_transaction"]}
    payment: Any = local.client().v1.payment_intents.retrieve(expanded.payment_intent.id, method)
    assert payment.payment_method.card.last4 == "4242"
    assert (payment.latest_charge.refunds.data, payment.latest_charge.balance_transaction) == ([], None)
    assert expanded.line_items.data[0].price.product.metadata.sku == "Ena"
    with pytest.raises(stripe.InvalidRequestError, match=r"cannot be expanded \(status\)"):
        local.client().v1.checkout.sessions.retrieve(session.id, {"expand": ["status"]})


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"line_items": [{**line("Mug", 500), "size": "L"}]}, "line_items[0][size]"),
        ({"payment_intent_data": {"amount": 1}}, "payment_intent_data[amount]"),
    ],
)
def test_a_parameter_unknown_to_the_sdk_is_refused(local: LocalStripe, params: Any, param: str) -> None:
    error = refusal(local, **params)

    assert (error.http_status, error.code, error.param) == (400, "parameter_unknown", param)
    assert error.user_message == f"Received unknown parameter: {param}"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"customer": "cus_1"}, "customer"),
        ({"mode": "subscription"}, "mode"),
        ({"ui_mode": "embedded_page"}, "ui_mode"),
        ({"automatic_tax": {"enabled": True}}, "automatic_tax[enabled]"),
        ({"line_items": [{"price": "price_1", "quantity": 1}]}, "line_items[0][price]"),
        ({"allowed_payment_method_types": ["klarna"]}, "allowed_payment_method_types"),
    ],
)
def test_what_is_not_done_here_is_said_and_not_swallowed(local: LocalStripe, params: Any, param: str) -> None:
    error = refusal(local, **params)

    assert (error.http_status, error.param) == (400, param)
    assert "The local Stripe does not do this" in str(error.user_message)


def test_what_asks_for_the_default_is_welcome(local: LocalStripe) -> None:
    session = local.checkout(
        adaptive_pricing={"enabled": False},
        allow_promotion_codes=False,
        allowed_payment_method_types=["card", "klarna"],
        metadata={"order": "7", "empty": ""},
        ui_mode="hosted_page",
    )
    assert (session.status, session.payment_method_types) == ("open", ["card"])
    assert session.to_dict()["metadata"] == {"order": "7"}


def test_a_missing_parameter_is_named(local: LocalStripe) -> None:
    item = line("Mug", 500)
    del item["price_data"]["product_data"]["name"]

    for params, param in (
        ({"success_url": None}, "success_url"),
        ({"line_items": None}, "line_items"),
        ({"line_items": [item]}, "line_items[0][price_data][product_data][name]"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price_data]"),
    ):
        error = refusal(local, **params)
        assert (error.http_status, error.code, error.param) == (400, "parameter_missing", param)


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"success_url": "/thanks"}, "success_url", "url_invalid"),
        ({"success_url": "javascript:alert(1)"}, "success_url", "url_invalid"),
        ({"client_reference_id": "x" * 201}, "client_reference_id", None),
        ({"client_reference_id": ""}, "client_reference_id", "parameter_invalid_empty"),
        ({"customer_email": "nobody"}, "customer_email", "email_invalid"),
        ({"locale": "klingon"}, "locale", None),
        ({"metadata": {"x" * 41: "y"}}, f"metadata[{'x' * 40}]", None),
        ({"metadata": {f"key{number}": "y" for number in range(51)}}, "metadata", None),
        ({"expires_at": int(time.time()) + 600}, "expires_at", None),
        ({"expires_at": int(time.time()) + 90_000}, "expires_at", None),
        ({"expires_at": "soon"}, "expires_at", "parameter_invalid_integer"),
        ({"line_items": [line("Mug", 500, 0)]}, "line_items[0][quantity]", "parameter_invalid_integer"),
        ({"line_items": [line("Mug", 500), line("Cup", 500, 1, "eur")]}, "line_items", None),
        ({"line_items": [line("Mug", 500, 1, "zzz")]}, "line_items[0][price_data][currency]", None),
        (
            {"line_items": [line("Mug", -1)]},
            "line_items[0][price_data][unit_amount]",
            "parameter_invalid_integer",
        ),
        ({"metadata": "order 7"}, "metadata", None),
        ({"line_items": "mug"}, "line_items", None),
        ({"mode": {"a": "b"}}, "mode", None),
    ],
)
def test_a_wrong_value_is_refused_at_its_parameter(
    local: LocalStripe, params: Any, param: str | None, code: str | None
) -> None:
    error = refusal(local, **params)

    assert (error.http_status, error.param, error.code) == (400, param, code)


@pytest.mark.parametrize(
    ("currency", "fraction", "code"),
    [
        ("isk", 1050, "invalid_charge_amount_no_decimal_compatible"),
        ("ugx", 1050, "invalid_charge_amount_no_decimal_compatible"),
        ("kwd", 1005, "parameter_invalid_integer"),
        ("bhd", 1001, "parameter_invalid_integer"),
    ],
)
def test_a_price_has_no_fractions_that_its_currency_has_not(
    local: LocalStripe, currency: str, fraction: int, code: str
) -> None:
    error = refusal(local, line_items=[line("Mug", fraction, 2, currency)])

    param = "line_items[0][price_data][unit_amount]"
    assert (error.http_status, error.param, error.code) == (400, param, code)
    assert local.checkout(line_items=[line("Mug", 1100, 1, currency)]).amount_total == 1100


@pytest.mark.parametrize(
    ("currency", "least", "shown"),
    [
        ("usd", 50, "$0.50 usd"),
        ("eur", 50, "€0.50 eur"),
        ("gbp", 30, "£0.30 gbp"),
        ("jpy", 50, "¥50 jpy"),
        ("huf", 17500, "HUF\xa0175.00 huf"),
        ("krw", 50, "₩50 krw"),
    ],
)
def test_a_total_below_the_least_of_its_currency_is_refused(
    local: LocalStripe, currency: str, least: int, shown: str
) -> None:
    error = refusal(local, line_items=[line("Mug", least - 1, 1, currency)])

    assert (error.http_status, error.param, error.code) == (400, None, "amount_too_small")
    assert str(error.user_message).endswith(f"must add up to at least {shown}")
    assert local.checkout(line_items=[line("Mug", least, 1, currency)]).amount_total == least


@pytest.mark.parametrize(
    ("currency", "most"),
    [("usd", 99_999_999), ("jpy", 99_999_999), ("inr", 999_999_999), ("idr", 999_999_999_999)],
)
def test_a_total_of_too_many_digits_is_refused(local: LocalStripe, currency: str, most: int) -> None:
    error = refusal(local, line_items=[line("Mug", most, 1, currency), line("Cup", 1, 1, currency)])

    assert (error.http_status, error.param, error.code) == (400, "line_items", "amount_too_large")
    assert local.checkout(line_items=[line("Mug", most, 1, currency)]).amount_total == most


def test_what_does_not_exist_is_not_found(local: LocalStripe) -> None:
    v1 = local.client().v1
    for ask in (
        lambda: v1.checkout.sessions.retrieve("cs_test_nobody"),
        lambda: v1.checkout.sessions.expire("cs_test_nobody"),
        lambda: v1.checkout.sessions.line_items.list("cs_test_nobody"),
        lambda: v1.payment_intents.retrieve("pi_nobody"),
        lambda: v1.payment_methods.retrieve("pm_nobody"),
        lambda: v1.charges.retrieve("ch_nobody"),
        lambda: v1.events.retrieve("evt_nobody"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match="No such") as refused:
            ask()
        assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_an_address_that_we_do_not_serve_is_unrecognized(local: LocalStripe) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        local.client().v1.payouts.create({"amount": 100, "currency": "usd"})

    assert refused.value.http_status == 404
    assert str(refused.value.user_message).startswith("Unrecognized request URL (POST: /v1/payouts).")


def test_only_an_open_session_can_be_expired(local: LocalStripe) -> None:
    session = local.checkout()
    sessions = local.client().v1.checkout.sessions

    assert sessions.expire(session.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match=r"This Checkout Session has a status of `expired`"):
        sessions.expire(session.id)
    assert local.event_types().count("checkout.session.expired") == 1


def test_a_key_must_be_there_and_be_a_test_key(local: LocalStripe) -> None:
    for key, words in (("pk_test_1", "Invalid API Key"), ("sk_live_1", "test keys only")):
        with pytest.raises(stripe.AuthenticationError, match=words):
            local.client(key).v1.events.list()

    nobody = local.browser.get(f"{local.url}/v1/events")
    assert (nobody.status_code, nobody.json()["error"]["type"]) == (401, "invalid_request_error")
    assert local.browser.get(f"{local.url}/v1/events", auth=(KEY, "")).status_code == 200


def test_with_a_key_of_ones_own_every_other_is_refused(tmp_path: Any) -> None:
    with LocalStripe(tmp_path, STRIPE_SECRET_KEY="sk_test_mine") as local:
        assert local.client("sk_test_mine").v1.events.list().data == []
        with pytest.raises(stripe.AuthenticationError, match=r"Invalid API Key provided: sk_test_\*+urs1"):
            local.client("sk_test_yours1").v1.events.list()


@pytest.mark.parametrize(
    "body",
    [
        b"a" * 1_000_001,
        b"&" * 9000,
        b"a[" * 9,
        b"[]=1",
        b"%ff=1",
        b"a[b][c][d][e][f][g][h][i]=1",
        b"mode=a&mode[b]=c",
    ],
    ids=["too long", "too many", "open bracket", "no name", "not UTF-8", "too deep", "value and object"],
)
def test_a_body_that_cannot_be_read_is_refused(local: LocalStripe, body: bytes) -> None:
    url, headers = f"{local.url}/v1/checkout/sessions", {"Authorization": f"Bearer {KEY}"}
    answer = local.browser.post(url, content=body, headers=headers)

    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_every_answer_names_its_request(local: LocalStripe) -> None:
    session: Session = local.client().v1.checkout.sessions.create(checkout_params())
    response = session.last_response

    assert response is not None
    assert str(response.request_id).startswith("req_")
    assert response.headers["stripe-version"] == stripe.api_version
