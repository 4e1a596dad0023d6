"""Every object of the local Stripe against the typed classes of the installed SDK, all the way down."""

import builtins
import copy
import inspect
import sys
from collections.abc import Iterator
from decimal import Decimal
from types import NoneType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import pytest
import stripe
from stripe._stripe_object import UntypedStripeObject
from stripe.params import WebhookEndpointCreateParams

from tests.local_stripe import (
    AUTHENTICATED_CARD,
    DECLINED_CARD,
    DISPUTED_CARD,
    FAILING_IBAN,
    FAILING_REFUND_CARD,
    GOOD_CARD,
    INQUIRED_CARD,
    PENDING_REFUND_CARD,
    LocalStripe,
    eventually,
    line,
)

CLASSES = {
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "item": stripe.LineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "price": stripe.Price,
    "product": stripe.Product,
    "refund": stripe.Refund,
}

CURRENCIES = ("eur", "gbp", "usd")


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One of everything, in every state it can be in."""
    with LocalStripe(tmp_path_factory.mktemp("stripe"), SANDBOX_STRIPE_DEBIT_SECONDS="0") as local:
        v1 = local.client().v1
        later = go_on(local)
        paid = local.checkout(metadata={"order": "1"}, payment_intent_data={"metadata": {"order": "1"}})
        prefilled = local.checkout(customer_email="ada@example.com", line_items=[line("Tea", 500, 1, "jpy")])
        abandoned = local.checkout()
        local.pay(paid)
        local.pay(abandoned, DECLINED_CARD)
        payment: Any = {"expand": ["payment_intent.latest_charge"]}
        declined: Any = v1.checkout.sessions.retrieve(abandoned.id, payment)
        everything: Any = {"expand": ["payment_intent.latest_charge", "line_items.data.price.product"]}
        yield {
            "an open session": paid.to_dict(),
            "a session with an e-mail": prefilled.to_dict(),
            "a declined session": declined.to_dict(),
            "an expired session": v1.checkout.sessions.expire(abandoned.id).to_dict(),
            "a paid session": v1.checkout.sessions.retrieve(paid.id, everything).to_dict(),
            "a canceled payment": v1.payment_intents.retrieve(str(declined.payment_intent.id)).to_dict(),
            **later,
            "line items": v1.checkout.sessions.line_items.list(paid.id).to_dict(),
            "sessions": v1.checkout.sessions.list().to_dict(),
            "payments": v1.payment_intents.list({"expand": ["data.payment_method"]}).to_dict(),
            "charges": v1.charges.list({"expand": ["data.refunds"]}).to_dict(),
            "refunds": v1.refunds.list().to_dict(),
            "disputes": v1.disputes.list().to_dict(),
            "events": v1.events.list({"limit": 100}).to_dict(),
        }


def go_on(local: LocalStripe) -> dict[str, Any]:
    """Whatever can happen after a payment, and before one."""
    v1 = local.client().v1
    payment: Any = {"expand": ["payment_intent.latest_charge", "payment_intent.payment_method"]}
    debits = {currency: local.checkout(line_items=[line("Tea", 500, 1, currency)]) for currency in CURRENCIES}
    failed, asked = local.checkout(), local.checkout()
    for session in debits.values():
        local.debit(session)
    local.debit(failed, FAILING_IBAN)
    local.pay(asked, AUTHENTICATED_CARD)
    question = v1.checkout.sessions.retrieve(asked.id, payment).to_dict()
    local.authenticate(asked, "fail")
    for session in (*debits.values(), failed):
        settled(local, session)
    won, asked_about = (
        v1.disputes.list({"payment_intent": local.paid(card).id}).data[0]
        for card in (DISPUTED_CARD, INQUIRED_CARD)
    )
    v1.disputes.update(won.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    refunds = [
        v1.refunds.create({"payment_intent": local.paid(card).id})
        for card in (GOOD_CARD, PENDING_REFUND_CARD, FAILING_REFUND_CARD)
    ]
    eventually(lambda: v1.refunds.retrieve(refunds[2].id).status == "failed")
    eventually(lambda: v1.disputes.retrieve(won.id).status == "won")
    retrieve = v1.checkout.sessions.retrieve
    return {
        **{f"a debit in {name}": retrieve(one.id, payment).to_dict() for name, one in debits.items()},
        "a failed debit": retrieve(failed.id, payment).to_dict(),
        "a question of the bank": question,
        "a failed authentication": retrieve(asked.id, payment).to_dict(),
        "a pending refund": refunds[1].to_dict(),
        "a failed refund": v1.refunds.retrieve(refunds[2].id).to_dict(),
        "a won dispute": v1.disputes.retrieve(won.id, {"expand": ["charge", "payment_intent"]}).to_dict(),
        "an inquiry": asked_about.to_dict(),
    }


def settled(local: LocalStripe, session: Any) -> None:
    eventually(lambda: local.payment(session).status != "processing")


@pytest.mark.parametrize(
    "name",
    [
        *(f"a debit in {currency}" for currency in CURRENCIES),
        "a failed debit",
        "a question of the bank",
        "a failed authentication",
        "a pending refund",
        "a failed refund",
        "a won dispute",
        "an inquiry",
        "payments",
        "charges",
        "refunds",
        "disputes",
        "an open session",
        "a session with an e-mail",
        "a declined session",
        "an expired session",
        "a paid session",
        "a canceled payment",
        "line items",
        "sessions",
        "events",
    ],
)
def test_an_object_has_the_fields_that_the_sdk_knows_and_all_that_it_requires(
    objects: dict[str, Any], name: str
) -> None:
    assert list(differences(objects[name], Any, name)) == []


def test_the_events_are_those_of_stripe_and_carry_well_shaped_objects(objects: dict[str, Any]) -> None:
    assert {event["type"] for event in objects["events"]["data"]} == {
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.failed",
        "charge.pending",
        "charge.refund.updated",
        "charge.refunded",
        "charge.succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.completed",
        "checkout.session.expired",
        "payment_intent.canceled",
        "payment_intent.created",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
        "refund.created",
        "refund.failed",
        "refund.updated",
    }
    assert {event["type"] for event in objects["events"]["data"]} <= known_to_the_sdk()
    assert {event["api_version"] for event in objects["events"]["data"]} == {stripe.api_version}


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("colour", "red", "colour: the SDK does not know it"),
        ("total_details.amount_tip", 1, "total_details.amount_tip: the SDK does not know it"),
        ("payment_intent.latest_charge.paid", None, "payment_intent.latest_charge.paid: None"),
        ("payment_intent.amount", "12", "payment_intent.amount: '12'"),
        ("line_items.data.0.price.product.name", ..., "line_items.data.0.price.product.name: missing"),
        ("livemode", ..., "livemode: missing"),
        ("url", 7, "url: 7"),
    ],
)
def test_the_check_sees_what_is_wrong(objects: dict[str, Any], path: str, value: Any, complaint: str) -> None:
    session = copy.deepcopy(objects["a paid session"])
    *parents, last = path.split(".")
    place = session
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    assert [text.removeprefix("session.") for text in differences(session, Any, "session")] == [complaint]


def known_to_the_sdk() -> set[str]:
    hints = get_type_hints(WebhookEndpointCreateParams, localns={"StripeContext": object, "Mapping": dict})
    return {name for inner in get_args(hints["enabled_events"]) for name in flat_names(inner)}


def flat_names(kind: Any) -> Iterator[str]:
    for member in get_args(kind):
        if isinstance(member, str):
            yield member
        else:
            yield from flat_names(member)


def differences(value: Any, kind: Any, path: str) -> Iterator[str]:
    """Where a value departs from its annotation, in words."""
    members = list(flat(kind))
    if isinstance(value, dict):
        yield from object_differences(value, members, path)
    elif isinstance(value, list):
        elements = [get_args(member)[0] for member in members if get_origin(member) is list]
        if not elements and Any not in members:
            yield f"{path}: a list"
        for position, element in enumerate(value):
            yield from differences(element, elements[0] if elements else Any, f"{path}.{position}")
    elif not any(scalar_fits(value, member) for member in members):
        yield f"{path}: {value!r}"


def object_differences(value: dict[str, Any], members: list[Any], path: str) -> Iterator[str]:
    if value.get("object") == "list":
        element = next((get_args(m)[0] for m in members if get_origin(m) is stripe.ListObject), Any)
        if sorted(value) != ["data", "has_more", "object", "url"]:
            yield f"{path}: no list envelope"
        yield from differences(value["data"], list[element], f"{path}.data")  # type: ignore[valid-type]
        return
    cls = object_class(value, members)
    if cls is None:
        free = [get_args(m)[0] for m in members if get_origin(m) is UntypedStripeObject]
        if not free and Any not in members:
            yield f"{path}: an object"
        for name, inner in value.items():
            yield from differences(inner, free[0] if free else Any, f"{path}.{name}")
        return
    fields = annotations(cls)
    for name in value.keys() - fields.keys():
        yield f"{path}.{name}: the SDK does not know it"
    for name, kind in fields.items():
        if name in value:
            yield from differences(value[name], kind, f"{path}.{name}")
        elif NoneType not in flat(kind):
            yield f"{path}.{name}: missing"


def object_class(value: dict[str, Any], members: list[Any]) -> Any:
    named = CLASSES.get(str(value.get("object")))
    if named is not None:
        return named
    classes = [member for member in members if inspect.isclass(member)]
    return next((one for one in classes if issubclass(one, stripe.StripeObject)), None)


def scalar_fits(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is Decimal:
        return isinstance(value, str | Decimal) and Decimal(value).is_finite()
    return inspect.isclass(kind) and type(value) is kind


def flat(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Union or type(kind).__name__ == "UnionType":
        for member in get_args(kind):
            yield from flat(member)
    else:
        yield kind


def annotations(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls, localns=Names(sys.modules[cls.__module__].__dict__))
    own = inspect.get_annotations(cls)
    return {name: hints[name] for name in own if get_origin(hints[name]) is not ClassVar and name[0] != "_"}


class Names(dict[str, Any]):
    """The names that the SDK imports for type checkers only, some of them as `CardResource` for `Card`."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def __missing__(self, name: str) -> Any:
        if name in self.known or hasattr(builtins, name):
            raise KeyError(name)
        return getattr(stripe, name, getattr(stripe, name.removesuffix("Resource"), stripe.StripeObject))
