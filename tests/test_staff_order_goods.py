"""The goods of an order on staff's page: sent step by step, undone, kept back, put on the shelf again."""

from html import unescape

import pytest

from shop.models import FulfilmentStatus, Order, Source
from tests import factories
from tests.staff_page import HTMX, can, page, said, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("order_is_paid")]


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
