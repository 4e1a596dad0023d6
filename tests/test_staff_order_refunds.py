"""The money of an order on staff's page: what goes back, once, and what is refused."""

from functools import partial
from html import unescape

import pytest

from shop.models import Order, PaymentStatus, Refund, RefundStatus
from tests import factories
from tests.buying import session_of
from tests.staff_page import HTMX, can, page, said, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def bought(client, stripe):
    """An order that was paid at the local Stripe: two bells of €12.50."""
    bell = factories.product(name="Bell", unit_amount=1250)
    client.get("/")
    client.post("/checkout/", {f"quantity-{bell.slug}": 2})
    order = Order.objects.get()
    stripe.pay(session_of(stripe, order))
    client.post(f"/orders/{order.public_id}/check/")
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID
    return order


def wish(amount, seen="0", **fields):
    return {"amount": amount, "reason": "requested_by_customer", "seen": seen} | fields


def at_stripe(stripe, order):
    """The amounts that Stripe has refunded."""
    return [
        refund.amount
        for refund in stripe.client().v1.refunds.list({"payment_intent": order.payment_intent_id}).data
    ]


@pytest.mark.parametrize(
    ("typed", "amount"), [("5", 500), ("5.00", 500), ("7,5", 750), (" 25.00 ", 2500), ("0.01", 1)]
)
def test_a_part_or_all_goes_back(staff, stripe, bought, typed, amount):
    answer = staff.post(page(bought, "refund"), wish(typed, note="One was scratched."), headers=HTMX)

    bought.refresh_from_db()
    refund = bought.refunds.get()
    assert said(answer) == f"€{amount / 100:.2f} goes back to the customer."
    assert (bought.refunded_amount, at_stripe(stripe, bought)) == (amount, [amount])
    assert (refund.status, refund.note) == (RefundStatus.SUCCEEDED, "One was scratched.")
    assert list(bought.changes.filter(what="refund").values_list("after", "amount", "who__username")) == [
        ("requested", amount, "boss"),
        ("succeeded", amount, "boss"),
    ]
    left = f"{(2500 - amount) / 100:.2f}"
    assert f'value="{left}"' in answer.text, "a fresh form, for what is left"


@pytest.mark.parametrize(
    "typed",
    ["25.01", "0", "0.00", "-5", "5.001", "1e1", "１", "5 000", "five", "", "NaN", "5.0.0", "9" * 30, "\x00"],
)
def test_an_amount_that_is_none_or_too_much_is_refused_at_its_field_and_kept(staff, stripe, bought, typed):
    for headers in ({}, HTMX):
        answer = staff.post(page(bought, "refund"), wish(typed, note="Because."), headers=headers)
        assert answer.status_code == 422
        assert 'id="refund-amount_error"' in answer.text
        assert 'value="Because."' in answer.text
        assert not typed or f'name="amount" value="{typed}"' in unescape(answer.text)
    assert not Refund.objects.exists()
    assert at_stripe(stripe, bought) == []


def test_the_same_form_sent_twice_refunds_once(staff, stripe, bought):
    staff.post(page(bought, "refund"), wish("5.00"))
    answer = staff.post(page(bought, "refund"), wish("5.00"), headers=HTMX)

    assert answer.status_code == 422
    assert "Somebody was faster." in answer.text
    assert at_stripe(stripe, bought) == [500]

    assert staff.post(page(bought, "refund"), wish("5.00", seen="500"), headers=HTMX).status_code == 200
    assert at_stripe(stripe, bought) == [500, 500]


@pytest.mark.django_db(transaction=True)
def test_two_who_mean_the_same_refund_it_once(boss, stripe, bought, at_once):
    browsers = [factories.browser_of(boss), factories.browser_of(factories.staff())]

    answers = at_once(
        [
            partial(browser.post, page(bought, "refund"), wish("5.00"), headers=HTMX)
            for browser in browsers * 3
        ]
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 5
    assert at_stripe(stripe, bought) == [500]


@pytest.mark.parametrize(
    ("currency", "typed", "amount"),
    [
        ("jpy", "800", 800),
        ("jpy", "8.00", None),
        ("bhd", "1.230", 1230),
        ("bhd", "1.234", None),
        ("isk", "5", 500),
        ("isk", "5.01", None),
    ],
)
def test_amounts_are_typed_as_their_currency_is_counted(staff, currency, typed, amount):
    order = factories.paid_order(None, (factories.product(unit_amount=3000, currency=currency), 1))
    staff.post(page(order, "refund"), wish(typed))

    assert list(order.refunds.values_list("amount", flat=True)) == ([amount] if amount else [])


def test_a_silent_stripe_is_asked_again_by_itself_and_nobody_asks_for_a_second_refund(
    staff, line, bought, quick_retries
):
    line.next_come(*[503] * 3)
    answer = staff.post(page(bought, "refund"), wish("5.00"), headers=HTMX)

    assert "€5.00 is requested. Stripe has not answered yet, and is asked again by itself." in said(answer)
    shown = staff.get(page(bought))
    assert "refund" not in can(shown)
    assert "€5.00 is just being refunded by boss" in text(shown)
    again = staff.post(page(bought, "refund"), wish("5.00"), headers=HTMX)
    assert (again.status_code, "Another refund of this order is just being made." in again.text) == (
        422,
        True,
    )
    assert [(refund.status, refund.amount) for refund in bought.refunds.all()] == [
        (RefundStatus.REQUESTED, 500)
    ]


def test_what_stripe_refuses_is_said_and_not_counted(staff, stripe, bought):
    stripe.client().v1.refunds.create({"payment_intent": bought.payment_intent_id, "amount": 2000})

    answer = staff.post(page(bought, "refund"), wish("10.00"), headers=HTMX)

    assert "Stripe refuses to refund €10.00" in said(answer)
    bought.refresh_from_db()
    assert (bought.refunded_amount, bought.refunds.get().status) == (0, RefundStatus.FAILED)


def test_what_staff_note_is_text(staff, bought):
    staff.post(page(bought, "refund"), wish("5", note="<script>alert(1)</script>"))
    shown = staff.get(page(bought)).text

    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
