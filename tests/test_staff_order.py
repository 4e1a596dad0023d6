"""Staff's page of one order: who gets in, what it says, and what can be done there."""

import re
from functools import partial
from html import unescape

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shop.models import FulfilmentStatus, Order, PaymentStatus, Refund, RefundStatus, Source
from shop.rights import FULFIL_ORDER, REFUND_ORDER, VIEW_PAYMENTS
from tests import factories, stripe_events

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
ACTIONS = {
    "cancel": REFUND_ORDER,
    "refund": REFUND_ORDER,
    "restock": FULFIL_ORDER,
    "resolve": FULFIL_ORDER,
    "prepare": FULFIL_ORDER,
    "ship": FULFIL_ORDER,
    "deliver": FULFIL_ORDER,
    "undo": FULFIL_ORDER,
    "withhold": FULFIL_ORDER,
    "resend": FULFIL_ORDER,
}
"""And the right that each takes, besides that of looking."""


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss():
    return factories.staff(username="boss")


@pytest.fixture
def staff(boss):
    """A browser of somebody who may everything."""
    return browser_of(boss)


@pytest.fixture
def order():
    return factories.paid_order(None, (factories.product(name="Bell", unit_amount=1250), 2))


def page(order, action=""):
    return f"/dashboard/orders/{order.public_id}/" + (f"{action}/" if action else "")


def can(response):
    """What the page's style sheet lets be done."""
    return set(re.findall(r'data-can="([^"]*)"', response.text)[0].split())


def text(response):
    """As it is read: no tags, no double spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


def said(response):
    """The answer on the spot."""
    return re.findall(r'hx-target="#answer".*?<p[^>]*>(.*?)</p>', unescape(response.text))[0]


# --- who gets in ----------------------------------------------------------------------------------


def test_who_is_not_logged_in_is_sent_to_log_in_and_back(client, order):
    response = client.get(page(order))

    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={page(order)}")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_button_that_is_pressed_too_late_leads_to_the_login_and_then_to_the_page(client, order, action):
    plain = client.post(page(order, action))
    live = client.post(page(order, action), headers=HTMX)

    assert plain["Location"] == live["HX-Redirect"] == f"/accounts/login/?next={page(order)}"
    assert Order.objects.get().version == order.version


def test_an_account_without_the_right_sees_nothing_not_even_whether_there_is_such_an_order(order):
    for user in (factories.user(), factories.staff(REFUND_ORDER, FULFIL_ORDER)):
        client = browser_of(user)
        assert client.get(page(order)).status_code == 403
        assert client.get(page(factories.order()).replace("-", "-")).status_code == 403
        assert client.get("/dashboard/orders/00000000-0000-4000-8000-000000000000/").status_code == 403


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_takes_the_right_to_look_and_its_own(order, action):
    other = {REFUND_ORDER: FULFIL_ORDER, FULFIL_ORDER: REFUND_ORDER}[ACTIONS[action]]
    for rights in ([VIEW_PAYMENTS], [VIEW_PAYMENTS, other], [ACTIONS[action]]):
        client = browser_of(factories.staff(*rights))
        assert client.post(page(order, action), {"step": "preparing"}).status_code == 403
        answer = client.post(page(order, action), headers=HTMX)
        assert (answer.status_code, said(answer)) == (
            403,
            "Your account may not do that, or no longer. Nothing was done.",
        )
    assert Order.objects.get().version == order.version


def test_a_right_may_come_by_a_group(order):
    packers = Group.objects.create(name="packers")
    packers.permissions.set(Permission.objects.filter(codename__in=["view_payments", "fulfil_order"]))
    packer = factories.user()
    packer.groups.add(packers)
    client = browser_of(packer)

    assert client.get(page(order)).status_code == 200
    assert client.post(page(order, "prepare")).status_code == 302
    assert client.post(page(order, "refund")).status_code == 403


def test_buttons_are_only_for_who_may_press_them(order):
    looks = text(browser_of(factories.staff(VIEW_PAYMENTS)).get(page(order)))
    packs = text(browser_of(factories.staff(VIEW_PAYMENTS, FULFIL_ORDER)).get(page(order)))

    assert ("Prepare it" in looks, "Refund" in looks.partition("What to do")[2].partition("Timeline")[0]) == (
        False,
        False,
    )
    assert "Your account may not refund or cancel." in looks
    assert ("Prepare it" in packs, "Your account may not refund or cancel." in packs) == (True, True)
    assert "Your account may not prepare" in looks
    assert "Your account may not prepare" not in packs


@pytest.mark.parametrize("action", ["", *ACTIONS])
def test_there_is_no_page_of_an_order_that_there_is_not(staff, action):
    nowhere = f"/dashboard/orders/00000000-0000-4000-8000-000000000000/{action}{'/' if action else ''}"
    answer = staff.post(nowhere) if action else staff.get(nowhere)

    assert answer.status_code == 404


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_wants_a_post_and_a_token(boss, order, action):
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(boss)

    assert careful.get(page(order, action)).status_code == 405
    assert careful.post(page(order, action)).status_code == 403
    assert Order.objects.get().version == order.version


def test_nobody_keeps_a_copy_of_what_staff_see(staff, order):
    assert "no-store" in staff.get(page(order))["Cache-Control"]


# --- what it says ---------------------------------------------------------------------------------


def test_the_page_tells_all_about_the_payment(staff, deliver, order):
    deliver(stripe_events.event("refund.created", stripe_events.refund(order, 500)))
    deliver(stripe_events.event("charge.dispute.created", stripe_events.dispute(order)))

    shown = text(staff.get(page(order)))
    for words in (
        "ada@example.com",
        "2 × €12.50",
        "Paid €25.00 Refunded €5.00 Left €20.00",
        "€5.00 Refunded",
        "made at Stripe",
        "Paused: a dispute is open.",
        "Needs a response",
        "Evidence is due by",
        "Payment: Waiting for payment → Paid",
        "Refund of €5.00: Refunded",
        "Dispute over €25.00: Needs a response",
        "refund.created",
        "charge.dispute.created",
        "Applied",
    ):
        assert words in shown, words


def test_ids_lead_to_stripes_own_dashboard(staff, deliver, order, settings):
    event = stripe_events.event("refund.created", stripe_events.refund(order, 500))
    deliver(event)

    test_mode = staff.get(page(order)).text
    settings.STRIPE_LIVE_MODE = True
    live_mode = staff.get(page(order)).text

    assert f"https://dashboard.stripe.com/test/payments/{order.payment_intent_id}" in test_mode
    assert f"https://dashboard.stripe.com/test/events/{event['id']}" in test_mode
    assert f"https://dashboard.stripe.com/payments/{order.payment_intent_id}" in live_mode


def test_the_payload_of_an_event_is_not_shown(staff, deliver):
    order = factories.order()
    deliver(
        stripe_events.completed(
            order, customer_details={"email": "ada@example.com", "name": "Ada of 12 Lane"}
        )
    )

    with CaptureQueriesContext(connection) as queries:
        assert "12 Lane" not in staff.get(page(order)).text
    assert not [query for query in queries.captured_queries if "payload" in query["sql"]]


@pytest.mark.parametrize("number", [1, 20])
def test_the_page_costs_the_same_however_much_has_happened(
    staff, boss, deliver, order, number, django_assert_num_queries
):
    for _ in range(number):
        deliver(stripe_events.event("refund.created", stripe_events.refund(order, 10)))
        order.flag("Look.", source=Source.WEBHOOK)
        order.resolve(who_id=boss.pk)

    # Session, user, rights, clock, order; refunds, disputes, timeline, who did it; lines; what the viewer may
    # (two); the alarm; how it stands at Stripe, events.
    with django_assert_num_queries(15):
        assert staff.get(page(order)).status_code == 200


STATES = {
    "pending": (lambda order: None, {"cancel"}),
    "processing": (
        lambda order: order.mark_processing(payment_intent_id="pi_1", email="", source="webhook"),
        set(),
    ),
    "expired": (lambda order: order.expire(source=Source.WEBHOOK), set()),
    "held": (lambda order: order.flag("Look.", source=Source.WEBHOOK), {"cancel", "resolve"}),
}


@pytest.mark.parametrize(("happens", "possible"), STATES.values(), ids=STATES)
def test_what_is_unpaid_can_be_cancelled_and_no_more(staff, happens, possible):
    order = factories.order()
    happens(order)

    assert can(staff.get(page(order))) == possible


def test_what_can_be_done_follows_the_way_of_the_goods(staff, order):
    always = {"refund", "resend", "restock"}
    assert can(staff.get(page(order))) == always | {"prepare", "withhold"}
    for action, then in (
        ("prepare", {"ship", "withhold", "undo-preparing"}),
        ("ship", {"deliver", "undo-shipped"}),
        ("deliver", {"undo-delivered"}),
    ):
        staff.post(page(order, action))
        assert can(staff.get(page(order))) == always | then


def test_a_dispute_or_a_whole_refund_pauses_what_would_be_sent(staff, deliver, order):
    other = factories.paid_order()
    deliver(stripe_events.event("charge.dispute.created", stripe_events.dispute(order)))
    deliver(stripe_events.event("refund.created", stripe_events.refund(other, other.amount_total)))

    assert can(staff.get(page(order))) == {"refund", "resend", "restock", "withhold"}
    answer = staff.post(page(order, "prepare"), headers=HTMX)
    assert said(answer) == "Nothing changed: paused, a dispute is open."
    assert can(staff.get(page(other))) == {"resend", "restock", "withhold"}
    assert "All of it was refunded: there is nothing to send." in text(staff.get(page(other)))


# --- goods ------------------------------------------------------------------------------------------


def test_an_order_goes_its_way_step_by_step_and_the_timeline_knows_by_whom(staff, order):
    way = {"prepare": "Being prepared", "ship": "On its way", "deliver": "Delivered"}
    sent = {"carrier": "Parcel Post", "tracking_url": "https://track.example/7"}

    for action, status in way.items():
        assert said(staff.post(page(order, action), sent, headers=HTMX)) == f"Now: “{status}”."

    order.refresh_from_db()
    assert (order.fulfilment_status, order.carrier) == (FulfilmentStatus.DELIVERED, "Parcel Post")
    steps = order.changes.filter(what="fulfilment_status")
    assert list(steps.values_list("after", "source", "who__username")) == [
        ("preparing", "staff", "boss"),
        ("shipped", "staff", "boss"),
        ("delivered", "staff", "boss"),
    ]
    assert "Goods: On its way → Delivered" in text(staff.get(page(order)))


def test_a_step_that_somebody_else_took_already_is_not_taken_twice(staff, order):
    staff.post(page(order, "prepare"))
    answer = staff.post(page(order, "prepare"), headers=HTMX)

    assert said(answer) == "Nothing changed: it is “Being prepared”."
    assert Order.objects.get().version == order.version + 1


def test_a_step_can_be_undone_and_two_who_undo_it_undo_one(staff, order):
    for action in ("prepare", "ship"):
        staff.post(page(order, action), {"carrier": "Parcel Post", "tracking_url": "https://track.example/7"})

    for _ in range(2):
        staff.post(page(order, "undo"), {"step": "shipped"})

    order.refresh_from_db()
    assert (order.fulfilment_status, order.carrier, order.tracking_url) == (
        FulfilmentStatus.PREPARING,
        "",
        "",
    )


@pytest.mark.parametrize("step", ["", "paid", "unfulfilled", "delivered", "\x00", "x" * 1000])
def test_nothing_is_undone_that_was_not_done(staff, order, step):
    staff.post(page(order, "undo"), {"step": step})

    assert Order.objects.get().version == order.version


def test_an_order_can_be_kept_back_and_sent_after_all(staff, order):
    staff.post(page(order, "withhold"))
    assert can(staff.get(page(order))) == {"refund", "resend", "restock", "undo-cancelled"}

    staff.post(page(order, "undo"), {"step": "cancelled"})
    assert "prepare" in can(staff.get(page(order)))


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "ftp://track.example/7",
        "data:text/html,x",
        "not a link",
        "https://",
        f"https://track.example/{'7' * 500}",
    ],
)
def test_a_tracking_link_leads_to_the_web_or_nowhere_and_what_was_typed_is_kept(staff, order, link):
    staff.post(page(order, "prepare"))

    for headers in ({}, HTMX):
        answer = staff.post(
            page(order, "ship"), {"carrier": "Parcel Post", "tracking_url": link}, headers=headers
        )
        assert answer.status_code == 422
        assert 'id="ship-tracking_url_error"' in answer.text
        assert 'value="Parcel Post"' in answer.text
        assert link in unescape(answer.text)
    assert Order.objects.get().fulfilment_status == FulfilmentStatus.PREPARING


def test_a_tracking_link_without_its_scheme_is_understood(staff, order):
    staff.post(page(order, "prepare"))
    staff.post(page(order, "ship"), {"carrier": "", "tracking_url": "track.example/7"})

    assert Order.objects.get().tracking_url == "https://track.example/7"


def test_a_link_that_came_past_the_form_is_not_led_to(client, staff):
    client.get("/")
    order = factories.paid_order(factories.shopper_of(client))
    Order.objects.update(fulfilment_status="shipped", tracking_url="javascript:alert(1)")

    for response in (client.get(order.get_absolute_url()), staff.get(page(order))):
        assert response.status_code == 200
        assert "javascript:" not in response.text


def test_what_comes_back_is_put_on_the_shelf_again_once(staff, order):
    [line] = order.goods
    bell = line.product
    bell.refresh_from_db()
    before = bell.stock
    form = {f"line-{line.pk}": "1", "seen": "0"}

    first = staff.post(page(order, "restock"), form, headers=HTMX)
    again = staff.post(page(order, "restock"), form, headers=HTMX)

    assert said(first) == "Back in stock: 1."
    assert (again.status_code, "Somebody was faster." in again.text) == (422, True)
    bell.refresh_from_db()
    assert bell.stock == before + 1
    assert "1 back in stock" in text(staff.get(page(order)))


@pytest.mark.parametrize("units", ["3", "-1", "x", "1e3", "99999999999999999999", "0", ""])
def test_no_more_is_put_back_than_went_out(staff, order, units):
    [line] = order.goods
    answer = staff.post(page(order, "restock"), {f"line-{line.pk}": units, "seen": "0"}, headers=HTMX)

    assert answer.status_code == 422
    line.refresh_from_db()
    assert line.restocked == 0


def test_units_that_were_missing_cannot_come_back(staff):
    bell = factories.product(stock=2)
    order = factories.order(None, (bell, 2))
    order.expire(source=Source.WEBHOOK)
    bell.revise(stock=0)
    order.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)

    response = staff.get(page(order))

    assert "restock" not in can(response)
    assert "not in stock when it was paid" in text(response)


def seen_on(response):
    """The reason that the page's button stands for."""
    shown = re.search(r'name="seen" value="([^"]*)" form="resolve"', response.text)
    assert shown is not None
    return shown[1]


def test_what_has_come_up_since_it_was_looked_at_still_needs_a_look(staff, order):
    order.flag("Look.", source=Source.WEBHOOK)
    seen = seen_on(staff.get(page(order)))
    order.flag("Paid twice.", source=Source.WEBHOOK)

    answer = staff.post(page(order, "resolve"), {"seen": seen}, headers=HTMX)
    assert "Something else has come up" in answer.text
    order.refresh_from_db()
    assert order.needs_attention == "Paid twice."


def test_what_was_held_for_staff_is_looked_at_once(staff, order):
    order.flag("Paid twice.", source=Source.WEBHOOK)
    assert "Needs a look: Paid twice." in text(staff.get(page(order)))

    seen = {"seen": seen_on(staff.get(page(order)))}
    first, again = (staff.post(page(order, "resolve"), seen, headers=HTMX) for _ in range(2))

    assert said(first) == "Nothing is left to look at."
    assert "Somebody was faster" in said(again)
    assert "resolve" not in can(staff.get(page(order)))
    assert "Looked at: Paid twice." in text(staff.get(page(order)))


def test_without_javascript_an_action_leads_back_to_the_page_which_says_what_came_of_it(staff, order):
    response = staff.post(page(order, "prepare"), follow=True)

    assert response.redirect_chain == [(page(order), 302)]
    assert "Now: “Being prepared”." in text(response)


# --- money ------------------------------------------------------------------------------------------


@pytest.fixture
def bought(client, stripe):
    """An order that was paid at the local Stripe: two bells of €12.50."""
    bell = factories.product(name="Bell", unit_amount=1250)
    client.get("/")
    client.post("/checkout/", {f"quantity-{bell.slug}": 2})
    order = Order.objects.get()
    stripe.pay(stripe.client().v1.checkout.sessions.retrieve(order.stripe_session_id))
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
    browsers = [browser_of(boss), browser_of(factories.staff())]

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


def test_names_are_shown_as_text(staff, deliver):
    name = "<script>alert(1)</script> \"&'"
    order = factories.paid_order(None, (factories.product(name=name), 2))
    order.fulfilment.prepare(who_id=None)
    order.fulfilment.ship(carrier=name, tracking_url="", who_id=None)
    order.flag(name, source=Source.WEBHOOK)
    deliver(stripe_events.event("charge.dispute.created", stripe_events.dispute(order, reason=name)))

    shown = staff.get(page(order)).text

    assert "<script>alert" not in shown
    assert unescape(shown).count(name) >= 6, "goods, shelf, carrier, why to look (twice), why disputed"
