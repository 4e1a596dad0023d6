"""Refunds: https://docs.stripe.com/refunds"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.local_stripe import (
    DECLINED_CARD,
    FAILING_REFUND_CARD,
    PENDING_REFUND_CARD,
    LocalStripe,
    eventually,
    line,
)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
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


def refund(local: LocalStripe, payment: Any, **params: Any) -> stripe.Refund:
    asked: Any = {"payment_intent": payment.id, **params}
    return local.client().v1.refunds.create(asked)


def refusal(local: LocalStripe, payment: Any, **params: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        refund(local, payment, **params)
    return refused.value


def charge_of(local: LocalStripe, payment: Any) -> stripe.Charge:
    return local.client().v1.charges.retrieve(payment.latest_charge.id)


def test_a_refund_gives_back_all_that_was_paid(local: LocalStripe) -> None:
    payment = local.paid()
    made = refund(local, payment, reason="requested_by_customer", metadata={"order": "7"})

    assert (made.amount, made.currency, made.status) == (2999, "usd", "succeeded")
    assert (made.charge, made.payment_intent) == (payment.latest_charge.id, payment.id)
    assert (made.reason, made.to_dict()["metadata"]) == ("requested_by_customer", {"order": "7"})
    charge = charge_of(local, payment)
    assert (charge.amount_refunded, charge.refunded, charge.status) == (2999, True, "succeeded")
    assert local.client().v1.payment_intents.retrieve(payment.id).status == "succeeded"
    assert local.events_about(made.id, charge.id)[-2:] == ["refund.created", "charge.refunded"]


def test_parts_add_up_and_never_exceed_what_was_paid(local: LocalStripe) -> None:
    payment = local.paid()
    refund(local, payment, amount=1000)
    charge = charge_of(local, payment)
    assert (charge.amount_refunded, charge.refunded) == (1000, False)

    error = refusal(local, payment, amount=2000)
    assert (error.http_status, error.param, error.code) == (400, "amount", None)
    assert error.user_message == (
        "Refund amount ($20.00) is greater than unrefunded amount on charge ($19.99)"
    )
    assert charge_of(local, payment).amount_refunded == 1000

    assert refund(local, payment).amount == 1999
    assert charge_of(local, payment).refunded
    error = refusal(local, payment, amount=1)
    assert (error.http_status, error.code) == (400, "charge_already_refunded")
    assert error.user_message == f"Charge {payment.latest_charge.id} has already been refunded."


def test_a_charge_is_refunded_as_well_as_its_payment(local: LocalStripe) -> None:
    payment = local.paid()
    made = local.client().v1.refunds.create({"charge": payment.latest_charge.id, "amount": 500})

    assert (made.payment_intent, made.amount) == (payment.id, 500)
    assert charge_of(local, payment).amount_refunded == 500


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"amount": -5}, "amount", "parameter_invalid_integer"),
        ({"amount": "all"}, "amount", "parameter_invalid_integer"),
        ({"reason": "regret"}, "reason", None),
        ({"colour": "red"}, "colour", "parameter_unknown"),
        ({"reverse_transfer": True}, "reverse_transfer", None),
    ],
)
def test_a_wrong_value_is_refused_at_its_parameter(
    local: LocalStripe, params: Any, param: str, code: str | None
) -> None:
    payment = local.paid()
    error = refusal(local, payment, **params)

    assert (error.http_status, error.param, error.code) == (400, param, code)
    assert charge_of(local, payment).amount_refunded == 0


def test_the_payment_must_be_named_and_exist(local: LocalStripe) -> None:
    create = local.client().v1.refunds.create
    with pytest.raises(stripe.InvalidRequestError, match="payment_intent or charge"):
        create({"amount": 100})
    for params in ({"charge": "ch_nobody"}, {"payment_intent": "pi_nobody"}):
        with pytest.raises(stripe.InvalidRequestError, match="No such") as refused:
            create(params)  # type: ignore[arg-type]
        assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_what_was_never_paid_cannot_be_refunded(local: LocalStripe) -> None:
    payment = local.paid(DECLINED_CARD)
    message = f"This PaymentIntent ({payment.id}) does not have a successful charge to refund."

    assert refusal(local, payment).user_message == message
    with pytest.raises(stripe.InvalidRequestError) as refused:
        local.client().v1.refunds.create({"charge": payment.latest_charge.id})
    assert refused.value.user_message == message


@pytest.mark.parametrize(
    ("currency", "fraction", "code"),
    [
        ("isk", 150, "invalid_charge_amount_no_decimal_compatible"),
        ("ugx", 150, "invalid_charge_amount_no_decimal_compatible"),
        ("kwd", 155, "parameter_invalid_integer"),
    ],
)
def test_a_refund_has_no_fractions_that_its_currency_has_not(
    local: LocalStripe, currency: str, fraction: int, code: str
) -> None:
    payment = local.paid(line_items=[line("Tea", 500, 1, currency)])
    error = refusal(local, payment, amount=fraction)

    assert (error.param, error.code) == ("amount", code)
    assert refund(local, payment, amount=200).status == "succeeded"


def test_refunds_are_found_by_payment_and_time_page_by_page(local: LocalStripe) -> None:
    payment, other = local.paid(), local.paid()
    made = [refund(local, payment, amount=100).id for _ in range(3)][::-1]
    theirs = refund(local, other)
    refunds = local.client().v1.refunds

    assert [one.id for one in refunds.list({"payment_intent": payment.id}).data] == made
    assert [one.id for one in refunds.list({"charge": payment.latest_charge.id}).data] == made
    page = refunds.list({"payment_intent": payment.id, "limit": 2})
    assert ([one.id for one in page.data], page.has_more) == (made[:2], True)
    assert [one.id for one in page.auto_paging_iter()] == made
    assert refunds.list({"created": {"gt": theirs.created + 60}}).data == []
    assert theirs.id in {one.id for one in refunds.list({"created": theirs.created}).data}
    assert refunds.retrieve(theirs.id) == theirs
    with pytest.raises(stripe.InvalidRequestError, match="No such refund: 're_nobody'"):
        refunds.retrieve("re_nobody")


def test_only_the_metadata_of_a_refund_can_be_changed(local: LocalStripe) -> None:
    made = refund(local, local.paid(), metadata={"order": "7", "by": "ada"})
    refunds = local.client().v1.refunds

    changed = refunds.update(made.id, {"metadata": {"by": "", "why": "broken"}})
    assert changed.to_dict()["metadata"] == {"order": "7", "why": "broken"}
    assert refunds.update(made.id, {"metadata": ""}).to_dict()["metadata"] == {}
    assert local.events_about(made.id) == [
        "refund.created",
        *["refund.updated", "charge.refund.updated"] * 2,
    ]
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: amount"):
        refunds.update(made.id, {"amount": 1})  # type: ignore[arg-type]


def test_a_refund_that_waits_for_nobody_cannot_be_canceled(local: LocalStripe) -> None:
    for card in (PENDING_REFUND_CARD, FAILING_REFUND_CARD):
        made = refund(local, local.paid(card))
        with pytest.raises(stripe.InvalidRequestError, match="Canceling this refund is unsupported"):
            local.client().v1.refunds.cancel(made.id)


def test_ten_at_once_with_one_key_refund_once(local: LocalStripe) -> None:
    payment = local.paid()

    def attempt(_number: int) -> str:
        refunds = local.client(retries=5).v1.refunds
        params: Any = {"payment_intent": payment.id, "amount": 100}
        return str(refunds.create(params, {"idempotency_key": "staff 7 refunds"}).id)

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(attempt, range(10)))) == 1
    assert charge_of(local, payment).amount_refunded == 100


def test_ten_at_once_with_ten_keys_refund_no_more_than_was_paid(local: LocalStripe) -> None:
    payment = local.paid()

    def attempt(_number: int) -> str:
        try:
            return str(refund(local, payment).status)
        except stripe.InvalidRequestError as error:
            return str(error.code)

    with ThreadPoolExecutor(10) as pool:
        outcomes = sorted(pool.map(attempt, range(10)))
    assert outcomes == ["charge_already_refunded"] * 9 + ["succeeded"]


def test_a_refusal_of_a_refund_is_replayed_under_its_key(local: LocalStripe) -> None:
    payment = local.paid()
    params: Any = {"payment_intent": payment.id, "amount": 5000}

    for replayed in (None, "true"):
        with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded") as refused:
            local.client().v1.refunds.create(params, {"idempotency_key": "too much"})
        answer: Any = refused.value.headers
        assert answer.get("idempotent-replayed") == replayed


def test_an_event_of_a_refund_names_the_request_behind_it(local: LocalStripe) -> None:
    payment = local.paid()
    refunds = local.client().v1.refunds
    made = refunds.create({"payment_intent": payment.id}, {"idempotency_key": "give it back"})
    newest = local.client().v1.events.list({"types": ["refund.created", "charge.refunded"], "limit": 2})

    assert made.last_response is not None
    request = {"id": made.last_response.request_id, "idempotency_key": "give it back"}
    assert [event.to_dict()["request"] for event in newest.data] == [request, request]


def test_a_pending_refund_counts_from_the_start_and_succeeds_later(
    local: LocalStripe, quick: LocalStripe
) -> None:
    waiting = local.paid(PENDING_REFUND_CARD)
    made = refund(local, waiting)
    assert (made.status, made.pending_reason) == ("pending", "processing")
    assert charge_of(local, waiting).refunded
    assert refusal(local, waiting).code == "charge_already_refunded"

    payment = quick.paid(PENDING_REFUND_CARD)
    made = refund(quick, payment, amount=500)
    eventually(lambda: quick.client().v1.refunds.retrieve(made.id).status == "succeeded")
    assert quick.events_about(made.id) == ["refund.created", "refund.updated", "charge.refund.updated"]
    assert charge_of(quick, payment).amount_refunded == 500


def test_a_refund_that_fails_later_puts_the_amount_back_on_the_charge(quick: LocalStripe) -> None:
    payment = quick.paid(FAILING_REFUND_CARD)
    made = refund(quick, payment)
    assert made.status == "succeeded"

    eventually(lambda: quick.client().v1.refunds.retrieve(made.id).status == "failed")
    failed = quick.client().v1.refunds.retrieve(made.id)
    assert failed.failure_reason == "expired_or_canceled_card"
    charge = charge_of(quick, payment)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert quick.events_about(made.id) == [
        "refund.created",
        "refund.failed",
        "refund.updated",
        "charge.refund.updated",
    ]
    assert refund(quick, payment).amount == 2999


def test_a_refund_of_a_bank_debit_is_pending_first(quick: LocalStripe) -> None:
    session = quick.checkout()
    quick.debit(session)
    eventually(lambda: quick.payment(session).status == "succeeded")
    made = refund(quick, quick.payment(session), amount=999)

    assert made.status == "pending"
    eventually(lambda: quick.client().v1.refunds.retrieve(made.id).status == "succeeded")
    assert quick.payment(session).latest_charge.amount_refunded == 999


def test_expansion_leads_from_a_refund_to_its_payment_and_back(local: LocalStripe) -> None:
    payment = local.paid()
    everything: Any = {"expand": ["charge.payment_intent", "payment_intent.latest_charge"]}
    made: Any = refund(local, payment, **everything)

    assert made.charge.payment_intent.id == payment.id
    assert made.payment_intent.latest_charge.amount_refunded == 2999
    with_refunds: Any = {"payment_intent": payment.id, "expand": ["data.refunds.data.payment_method"]}
    [charge] = local.client().v1.charges.list(with_refunds).data
    assert charge.refunds is not None
    [listed] = charge.refunds.data
    assert (listed.id, listed.payment_method.card.last4) == (made.id, "4242")  # type: ignore[union-attr]
