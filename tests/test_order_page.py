"""What a shopper is shown of her order's life, on its page and in her lists; and what is not for her."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest

from shop.disputes import read as read_dispute
from shop.links import link_to
from shop.models import Dispute, Order, PaymentStatus, Refund, Source
from shop.refunds import read as read_refund
from tests import factories, stripe_events
from tests.reading import text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shopper_is_here")]


@pytest.fixture
def order(shopper, bell):
    """Paid: two bells, €25.00."""
    return factories.paid_order(factories.shopper_of(shopper), (bell, 2))


def page(shopper, order):
    return shopper.get(order.get_absolute_url()).text


def told(shopper, order):
    """The timeline's lines, without when and by whom."""
    story = page(shopper, order).partition('<ol class="timeline">')[2].partition("</ol>")[0]
    return [text(line.partition("<small>")[0]) for line in story.split("<li>")[1:]]


def row(shopper):
    return text(shopper.get("/orders/").text.partition("<li id=")[2].partition("</li>")[0])


def way(shopper, order):
    """Label of each step → done, now or ahead."""
    steps = re.findall(r'data-progress="(\w+)"[^>]*>([^<]*)', page(shopper, order))
    return {label: progress for progress, label in steps}


def refund(order, amount, **fields):
    Refund.objects.record(order, read_refund(stripe_events.refund(order, amount, **fields)), Source.WEBHOOK)


# --- how it is paid ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_an_order_says_how_its_payment_stands(client, status):
    client.get("/")
    order = factories.order(factories.shopper_of(client))
    paid_at = order.placed_at if status == PaymentStatus.PAID else None
    Order.objects.filter(pk=order.pk).update(payment_status=status, paid_at=paid_at)
    page = client.get(order.get_absolute_url()).text

    assert f'id="order-{order.public_id}"' in page
    assert f'data-payment-status="{status}"' in page
    assert status.label in page


def test_an_order_tells_what_happened_to_it(client):
    client.get("/")
    order = factories.order(factories.shopper_of(client))
    order.flag("Stripe's amount or currency differs from the order's.", source=Source.WEBHOOK)
    order.mark_paid(payment_intent_id="pi_1", email="ada@example.com", source=Source.WEBHOOK)
    page = unescape(client.get(order.get_absolute_url()).text)

    for words in ("Ordered", "We are looking at it", "Paid", "· Stripe"):
        assert words in page
    assert "amount or currency differs" not in page, "what staff are told is not for shoppers"
    assert "pi_1" not in page


# --- the way of the goods -------------------------------------------------------------------------


def test_the_way_is_shown_as_far_as_it_was_gone(shopper, order):
    labels = ["Paid", "Being prepared", "On its way", "Delivered"]
    goods = order.fulfilment
    steps = [
        (lambda: None, "Thank you, it is paid"),
        (lambda: goods.prepare(who_id=None), "We are preparing it"),
        (lambda: goods.ship(carrier="", tracking_url="", who_id=None), "It is on its way to you"),
        (lambda: goods.deliver(who_id=None), "Delivered"),
    ]

    for at, (step, headline) in enumerate(steps):
        step()
        assert way(shopper, order) == {
            label: "done" if n < at else "now" if n == at else "ahead" for n, label in enumerate(labels)
        }
        assert headline in text(page(shopper, order))
        assert row(shopper).endswith(labels[at])
    assert told(shopper, order) == ["Ordered", *labels]


@pytest.mark.parametrize("happens", ["pending", "processing", "failed", "expired"])
def test_there_is_no_way_before_the_payment(shopper, bell, happens):
    order = factories.order(factories.shopper_of(shopper), (bell, 1))
    known: dict[str, Any] = {"payment_intent_id": "pi_1", "email": "", "source": Source.WEBHOOK}
    if happens in ("processing", "failed"):
        order.mark_processing(**known)
    if happens == "failed":
        order.mark_failed(**known)
    if happens == "expired":
        order.expire(source=Source.WEBHOOK)

    assert way(shopper, order) == {}


def test_the_parcel_can_be_followed_in_a_window_that_gets_no_hold_of_this_one(shopper, order):
    order.fulfilment.prepare(who_id=None)
    order.fulfilment.ship(carrier="Parcel & Post", tracking_url="https://track.example/?a=1&b=2", who_id=None)

    shown = page(shopper, order)

    assert '<a href="https://track.example/?a=1&amp;b=2" target="_blank" rel="noopener">' in shown
    assert "Parcel &amp; Post" in shown


def test_a_step_that_was_undone_is_told_as_a_correction(shopper, order):
    goods = order.fulfilment
    goods.prepare(who_id=None)
    goods.ship(carrier="", tracking_url="", who_id=None)
    goods.deliver(who_id=None)
    for step in ("delivered", "shipped", "preparing"):
        goods.undo(step=step, who_id=None)
    goods.cancel(who_id=None)
    goods.undo(step="cancelled", who_id=None)

    assert told(shopper, order)[5:] == [
        "Corrected: still on its way",
        "Corrected: still being prepared",
        "Corrected: not yet prepared",
        "Will not be sent",
        "Corrected: it will be sent after all",
    ]


def test_an_order_that_will_not_be_sent_says_so(shopper, order):
    order.fulfilment.cancel(who_id=None)

    assert "This order will not be sent" in text(page(shopper, order))
    assert way(shopper, order) == {}
    assert row(shopper).endswith("Will not be sent")


# --- money back -----------------------------------------------------------------------------------


def test_what_came_back_is_summed_up_and_each_refund_is_told(shopper, order):
    refund(order, 500)
    refund(order, 250, id="re_slow", status="pending")

    assert "€7.50 of €25.00 refunded" in text(page(shopper, order))
    assert told(shopper, order)[2:] == ["€5.00 refunded", "Refund of €2.50 under way"]
    assert "€25.00 €7.50 refunded" in row(shopper)

    refund(order, 250, id="re_slow", status="failed")
    assert "€5.00 of €25.00 refunded" in text(page(shopper, order))
    assert told(shopper, order)[4] == "Refund of €2.50 failed: your bank sent it back"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("requires_action", "Refund of €5.00 waits for you: look for an e-mail about it"),
        ("canceled", "Refund of €5.00 called off"),
    ],
)
def test_a_refund_tells_how_it_stands(shopper, order, status, words):
    refund(order, 500, status=status)

    assert told(shopper, order)[2] == words


def test_an_order_that_was_refunded_wholly_waits_for_nothing(shopper, order):
    refund(order, 2500)

    assert "Your money is on its way back" in text(page(shopper, order))
    assert way(shopper, order) == {}
    assert row(shopper).endswith("Refunded")


def test_goods_that_were_sent_before_their_money_came_back_are_still_on_their_way(shopper, order):
    order.fulfilment.prepare(who_id=None)
    order.fulfilment.ship(carrier="Parcel Post", tracking_url="", who_id=None)
    refund(order, 2500)

    shown = text(page(shopper, order))
    assert "It is on its way to you" in shown
    assert "€25.00 of €25.00 refunded" in shown
    assert row(shopper).endswith("On its way")


# --- what is not for her --------------------------------------------------------------------------


def test_what_staff_and_banks_have_among_themselves_is_not_told(shopper, order):
    who_id = factories.user(username="grumpy").pk
    wish: dict[str, Any] = {"reason": "requested_by_customer", "note": "She was rude.", "who_id": who_id}
    refused = Refund.objects.request(order, 500, **wish)
    Refund.objects.refuse(refused, "Insufficient funds.")
    Refund.objects.request(order, 700, **wish)
    Dispute.objects.record(order, read_dispute(stripe_events.dispute(order)), Source.WEBHOOK)
    order.fulfilment.restock({order.goods[0].pk: 1}, who_id=None)

    shown = page(shopper, order) + shopper.get("/orders/").text
    for secret in (
        "efund",
        "rude",
        "grumpy",
        "Insufficient",
        "ispute",
        "fraudulent",
        "estock",
        "back in stock",
    ):
        assert secret not in shown, secret
    assert told(shopper, order) == ["Ordered", "Paid"]


def test_who_paid_an_order_of_another_browser_is_told_where_to_look(client, order):
    """A checkout that began in the API, for example; nobody learns whether there is such an order."""
    nowhere = "/orders/6f9619ff-8b86-4011-b42d-00c04fc964ff/?from=stripe"
    answers = [client.get(path) for path in (f"{order.get_absolute_url()}?from=stripe", nowhere)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert "an e-mail with a link" in text(answers[0].text)
    assert text(answers[0].text) == text(answers[1].text)


def test_the_way_back_leads_nobody_to_an_empty_list(shopper, client, order):
    assert "← Your orders" in text(page(shopper, order))
    client.get(urlsplit(link_to(order)).path)
    shown = text(page(client, order))
    assert "Find your other orders" in shown
    assert "← Your orders" not in shown


def test_a_look_of_staff_is_told_in_friendly_words(shopper, order):
    order.flag("Paid when some of its units were no longer in stock.", source=Source.WEBHOOK)
    shown = text(page(shopper, order))
    assert "One of us is looking at this order." in shown
    assert "no longer in stock" not in shown

    order.resolve(who_id=None)
    assert told(shopper, order)[2:] == ["We are looking at it", "We have looked at it"]
    assert "One of us is looking" not in text(page(shopper, order))


# --- what came to nothing -------------------------------------------------------------------------


@pytest.mark.parametrize("end", [PaymentStatus.FAILED, PaymentStatus.EXPIRED, PaymentStatus.CANCELLED])
def test_what_came_to_nothing_can_be_chosen_again(shopper, bell, end):
    order = factories.order(factories.shopper_of(shopper), (bell, 2))
    if end == PaymentStatus.FAILED:
        order.mark_processing(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
        order.mark_failed(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
    else:
        if end == PaymentStatus.CANCELLED:
            order.checkout.ask_to_cancel(source=Source.SHOPPER)
        order.expire(source=Source.WEBHOOK)
    assert Order.objects.get().payment_status == end

    assert f'href="/?quantity-{bell.slug}=2">Choose again' in page(shopper, order)


def test_a_bank_debit_is_explained_while_it_takes_its_time(shopper, bell):
    order = factories.order(factories.shopper_of(shopper), (bell, 2))
    order.mark_processing(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)

    shown = text(page(shopper, order))

    assert "a bank debit can take a few days" in shown
    assert "Choose again" not in shown
