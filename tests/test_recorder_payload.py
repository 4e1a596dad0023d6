"""An event's payload as staff may read it: without card holders' data, and whatever it is."""

from html import unescape

import pytest
from django.test import Client

from shop.rights import VIEW_PAYMENTS, VIEW_WEBHOOK_PAYLOAD
from tests import factories
from tests.recorder import address, browser_of
from tests.stripe_events import completed, event

NOTES = {"note": "leave at the door", "who": "write to ada@example.com please", "for": "Uncle Bo"}
PEOPLE = {
    "customer_details": {
        "address": {"city": "Zürich", "line1": "Bahnhofstrasse 1", "postal_code": "CH-8001"},
        "email": "grace@example.com",
        "name": "Grace Hopper",
        "phone": "+41790000000",
        "tax_ids": [{"type": "ch_vat", "value": "CHE-1"}],
    },
    "customer_email": "grace2@example.com",
    "shipping_details": {"carrier": "Pigeon Post", "tracking_number": "PIGEON-1"},
    "payment_method_details": {
        "card": {
            "brand": "visa",
            "exp_month": 11,
            "exp_year": 2031,
            "fingerprint": "Xt5EWLLDS7FJjR1c",
            "last4": "4242",
            "wallet": {"dynamic_last4": "7777"},
        }
    },
    "custom_fields": [{"key": "engraving", "text": {"value": "For Ada"}}],
    "metadata": NOTES,
    "source": {
        "object": "card",
        "address_line1": "Zeil 7",
        "address_city": "Frankfurt",
        "address_zip": "D-60313",
        "address_country": "West Germany",
    },
    "person": {"line1": "Rue 3", "line2": "Floor 9", "city": "Lyon-2", "zip": "F-69001"},
    "payment_method_options": {"cashapp": {"cashtag": "$bo"}, "card": {"cardholder": "ich_1"}},
    "url": "https://checkout.stripe.com/c/pay/secret",
    "client_secret": "pi_secret",
}
# None can stand in a random token or identifier by chance: each has a sign that those never have.
SECRETS = (
    *("Zürich", "Bahnhofstrasse", "CH-8001", "grace@", "Grace Hopper", "+4179", "CHE-1", "grace2@"),
    *(": 2031", "Xt5EWLLDS7FJjR1c", '"4242"', '"7777"', "For Ada", "leave at", "ada@example.com", "c/pay"),
    *(
        "Pigeon Post",
        "PIGEON-1",
        "pi_secret",
        "Uncle Bo",
        "Zeil 7",
        "Frankfurt",
        "D-60313",
        "West Germany",
        "Rue 3",
        "Floor 9",
        "Lyon-2",
    ),
    *("F-69001", "$bo", "ich_1"),
)


@pytest.mark.django_db
def test_the_payload_shows_without_card_holders_data(deliver):
    order = factories.order()
    mine = {"public_id": str(order.public_id), "refund": "8bd2a7a2-6d6c-4f6c-9bb1-24b1a8f0b6c5"}
    paid = completed(order, **PEOPLE | {"metadata": {**NOTES, **mine}})
    deliver(paid)

    response = browser_of(VIEW_PAYMENTS, VIEW_WEBHOOK_PAYLOAD).get(address(paid["id"]))
    read = unescape(response.text)
    assert [secret for secret in SECRETS if secret in read] == []
    for said in (
        '"brand": "visa"',
        f'"amount_total": {order.amount_total}',
        str(order.public_id),
        '"name": "•••"',
        f'"public_id": "{mine["public_id"]}"',
        f'"refund": "{mine["refund"]}"',
    ):
        assert said in read
    assert f"/dashboard/orders/{order.public_id}/" in response.text


@pytest.mark.django_db
def test_the_payload_wants_its_right(deliver):
    paid = completed(factories.order())
    deliver(paid)
    assert browser_of(VIEW_PAYMENTS).get(address(paid["id"])).status_code == 403
    assert browser_of(VIEW_WEBHOOK_PAYLOAD).get(address(paid["id"])).status_code == 403
    assert Client().get(address(paid["id"])).status_code == 302


@pytest.mark.django_db
def test_a_payload_nested_without_end_still_shows(staff, deliver):
    deep: dict[str, object] = {"object": "thing"}
    for _ in range(900):
        deep = {"inner": deep}
    odd = event("some.thing", deep)
    assert deliver(odd).status_code == 200

    assert staff.get(address(odd["id"])).status_code == 200


@pytest.mark.django_db
def test_half_a_character_shows_as_it_was_written(staff, deliver):
    odd = event("some.thing", {"object": "thing", "half": "\ud83d", "\udd14": 1})
    assert deliver(odd).status_code == 200

    read = unescape(staff.get(address(odd["id"])).text)
    assert '"half": "\\ud83d"' in read
    assert '"\\udd14": 1' in read


@pytest.mark.django_db
def test_a_long_text_without_an_address_is_read_through_once(staff, deliver):
    odd = event("some.thing", {"object": "thing", "text": "x" * 900_000})  # squared it would take hours
    assert deliver(odd).status_code == 200

    assert staff.get(address(odd["id"])).status_code == 200
