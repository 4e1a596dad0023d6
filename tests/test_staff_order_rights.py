"""Staff's page of one order: who gets in, and which right each action takes."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from shop.models import Order
from shop.rights import FULFIL_ORDER, REFUND_ORDER, VIEW_PAYMENTS
from tests import factories
from tests.staff_page import HTMX, page, said, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("order_is_paid")]

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
        client = factories.browser_of(user)
        assert client.get(page(order)).status_code == 403
        assert client.get(page(factories.order())).status_code == 403
        assert client.get("/dashboard/orders/00000000-0000-4000-8000-000000000000/").status_code == 403


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_takes_the_right_to_look_and_its_own(order, action):
    other = {REFUND_ORDER: FULFIL_ORDER, FULFIL_ORDER: REFUND_ORDER}[ACTIONS[action]]
    for rights in ([VIEW_PAYMENTS], [VIEW_PAYMENTS, other], [ACTIONS[action]]):
        client = factories.browser_of(factories.staff(*rights))
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
    client = factories.browser_of(packer)

    assert client.get(page(order)).status_code == 200
    assert client.post(page(order, "prepare")).status_code == 302
    assert client.post(page(order, "refund")).status_code == 403


def test_buttons_are_only_for_who_may_press_them(order):
    looks = text(factories.browser_of(factories.staff(VIEW_PAYMENTS)).get(page(order)))
    packs = text(factories.browser_of(factories.staff(VIEW_PAYMENTS, FULFIL_ORDER)).get(page(order)))

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
