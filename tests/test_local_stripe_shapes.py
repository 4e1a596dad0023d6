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

from tests.local_stripe import DECLINED_CARD, LocalStripe, line

CLASSES = {
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "event": stripe.Event,
    "item": stripe.LineItem,
    "payment_intent": stripe.PaymentIntent,
    "price": stripe.Price,
    "product": stripe.Product,
}


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One of everything, in every state it can be in."""
    with LocalStripe(tmp_path_factory.mktemp("stripe")) as local:
        v1 = local.client().v1
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
            "line items": v1.checkout.sessions.line_items.list(paid.id).to_dict(),
            "sessions": v1.checkout.sessions.list().to_dict(),
            "events": v1.events.list({"limit": 100}).to_dict(),
        }


@pytest.mark.parametrize(
    "name",
    [
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
        "charge.failed",
        "charge.succeeded",
        "checkout.session.completed",
        "checkout.session.expired",
        "payment_intent.canceled",
        "payment_intent.created",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
    }
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
