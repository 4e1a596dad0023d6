"""Staff's page of an order follows what anybody does, for as long as its viewer has the right to look."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db.models import F
from django.db.models.functions import Now
from django.template import Template
from django.test import Client
from django.test.signals import template_rendered
from django.utils import timezone
from django.utils.timezone import localtime

from realtime import hub, panels, sweep
from shop import jobs
from shop.models import Order, PaymentStatus, Source
from shop.rights import FULFIL_ORDER, VIEW_PAYMENTS
from tests import factories, stripe_events
from tests.live import Page, Queries, an_order, in_thread, live

pytestmark = pytest.mark.django_db(transaction=True)

HTMX = {"HX-Request": "true"}


@pytest.fixture
def viewer(db: None) -> User:
    return factories.staff(VIEW_PAYMENTS, FULFIL_ORDER, username="packer")


@pytest.fixture
def staff(viewer: User) -> Client:
    return factories.browser_of(viewer)


def path(order: Order) -> str:
    return f"/dashboard/orders/{order.public_id}/"


async def a_paid_order(shopper: Client) -> Order:
    await in_thread(shopper.get)("/")
    return await in_thread(factories.paid_order)(factories.shopper_of(shopper))


@pytest.fixture
def rendered() -> Iterator[list[str]]:
    """Which partials were rendered to be pushed, and how often."""
    partials: list[str] = []

    def see(template: Template, context: Any, **kwargs: Any) -> None:
        if template.name == "live/_push.html":
            partials.append(context["partial"])

    template_rendered.connect(see)
    yield partials
    template_rendered.disconnect(see)


# --- what it shows --------------------------------------------------------------------------------


async def test_a_webhook_turns_the_order_to_paid_on_staffs_page_too(staff, shopper, deliver, no_patrols):
    order = await an_order(shopper)
    page = await live(staff, path(order))

    await in_thread(deliver)(stripe_events.completed(order))

    frame = await page.frame(lambda frame: frame.status == PaymentStatus.PAID)
    assert frame.key == f"payment-{order.public_id}"
    assert frame.target == f"#payment-{order.public_id}"
    assert frame.version == 2
    assert "ada@example.com" in frame.text
    frame = await page.frame(lambda frame: frame.target == "#events" and "Applied" in frame.text)
    assert "checkout.session.completed" in frame.text


async def test_what_one_of_the_staff_does_the_others_and_the_shopper_see(staff, shopper, no_patrols):
    order = await a_paid_order(shopper)
    colleague = await in_thread(lambda: factories.browser_of(factories.staff(username="boss")))()
    other_window, own_page = await live(colleague, path(order)), await live(shopper, order.get_absolute_url())
    shop = await live(shopper)

    await in_thread(staff.post)(path(order) + "prepare/", headers=HTMX)
    frame = await other_window.frame(lambda frame: frame.version == 3)
    assert "packer" in frame.text
    assert 'data-can="refund resend restock ship withhold undo-preparing"' in frame.text
    assert "We are preparing it" in (await own_page.frame(lambda frame: frame.version == 3)).text

    sent = {"carrier": "Parcel Post", "tracking_url": "https://track.example/7"}
    await in_thread(staff.post)(path(order) + "ship/", sent, headers=HTMX)
    can = 'data-can="refund resend restock deliver undo-shipped"'
    await other_window.frame(lambda frame: can in frame.text)
    frame = await own_page.frame(lambda frame: frame.version == 4)
    assert 'href="https://track.example/7"' in frame.text
    assert "packer" not in frame.text, "a shopper is told that it was staff, and not who"
    await shop.frame(lambda frame: frame.version == 4 and "On its way" in frame.text)


async def test_a_refund_that_is_being_made_is_seen_and_cannot_be_doubled(staff, shopper, no_patrols):
    order = await a_paid_order(shopper)
    own_page, page = await live(shopper, order.get_absolute_url()), await live(staff, path(order))
    boss = await in_thread(factories.staff)(username="boss")

    refunds = order.refunds.model.objects
    wish: dict[str, Any] = {"reason": "requested_by_customer", "note": "Scratched", "who_id": boss.pk}
    await in_thread(refunds.request)(order, 500, **wish)

    frame = await page.frame(lambda frame: frame.version == 3)
    assert re.search("€5.00</span> is just being refunded by <bdi>boss", frame.text)
    assert 'data-can="resend restock prepare withhold"' in frame.text
    frame = await own_page.frame(lambda frame: frame.version == 3)
    assert "efund" not in frame.text, "for the shopper it is only a wish"


async def test_what_is_pushed_knows_neither_viewer_nor_token_and_is_the_part_that_the_page_includes(
    staff, shopper, no_patrols
):
    order = await a_paid_order(shopper)
    page = await live(staff, path(order))

    await in_thread(order.flag)("Look at it.", source=Source.WEBHOOK)
    frame = await page.frame(lambda frame: frame.version == 3)

    assert "csrf" not in frame.text
    assert "packer" not in frame.text
    part = frame.text[frame.text.index(">") + 1 : frame.text.rindex("</hx-partial>")]
    assert part.strip() in (await Page.load(staff, path(order))).html


async def test_what_no_hint_told_of_arrives_with_the_next_patrol(staff, shopper, quick_patrols):
    order = await a_paid_order(shopper)
    page = await live(staff, path(order))

    rows = Order.objects.filter(pk=order.pk)
    await rows.aupdate(needs_attention="Look at it.", version=F("version") + 1, updated_at=Now())

    assert "Look at it." in (await page.frame(lambda frame: frame.version == 3)).text


async def test_what_stripe_tells_without_changing_the_order_is_on_its_page_by_the_next_patrol(
    staff, shopper, deliver, quick_patrols, monkeypatch
):
    monkeypatch.setattr(panels, "PACE", 0)
    order = await an_order(shopper)
    news = stripe_events.completed(order)
    await in_thread(deliver)(news)
    page = await live(staff, path(order))
    page.frames.clear()

    await in_thread(deliver)(news)
    frame = await page.frame(lambda frame: frame.target == "#events" and "delivered 2 times" in frame.text)
    assert "ada@example.com" not in frame.text, "nothing of what Stripe signed"

    await in_thread(deliver)(stripe_events.completed(order))
    await page.frame(lambda frame: frame.target == "#events" and "Ignored" in frame.text)
    assert (await in_thread(Order.objects.get)()).version == 2


async def test_the_session_that_an_order_gets_and_its_time_are_on_staffs_page_by_the_next_patrol(
    staff, shopper, quick_patrols, monkeypatch
):
    monkeypatch.setattr(panels, "PACE", 0)
    order = await an_order(shopper)
    page = await live(staff, path(order))

    await in_thread(order.checkout.attach_session)("cs_test_7")
    await page.frame(lambda frame: frame.target == "#events" and "cs_test_7" in frame.text)

    later = timezone.now() + timedelta(hours=3)
    await Order.objects.filter(pk=order.pk).aupdate(checkout_expires_at=later)
    until = f'datetime="{localtime(later):%Y-%m-%dT%H:%M}'
    await page.frame(lambda frame: frame.target == "#events" and until in frame.text)


async def test_a_wish_to_cancel_is_on_every_open_page_of_staff_and_on_none_of_the_shoppers(
    staff, shopper, no_patrols
):
    order = await an_order(shopper)
    own_page, page = await live(shopper, order.get_absolute_url()), await live(staff, path(order))
    boss = await in_thread(factories.staff)(username="boss")

    await in_thread(order.checkout.ask_to_cancel)(source=Source.STAFF, who_id=boss.pk)

    frame = await page.frame(lambda frame: frame.version == 2)
    assert "Asked to cancel" in frame.text
    assert "boss" in frame.text
    assert 'data-can=""' in frame.text
    assert "cancel" not in (await own_page.frame(lambda frame: frame.version == 2)).text


async def test_an_order_that_changed_while_the_page_was_loading_is_caught_up_with(staff, shopper, no_patrols):
    order = await a_paid_order(shopper)
    page = await Page.load(staff, path(order))

    await in_thread(order.fulfilment.prepare)(who_id=None)

    socket = await page.connect()
    assert (await socket.frame()).version == 3


# --- what it costs --------------------------------------------------------------------------------


async def test_a_payment_renders_nothing_for_staff_who_do_not_look(shopper, deliver, no_patrols, rendered):
    order = await an_order(shopper)
    page = await live(shopper, order.get_absolute_url())
    rendered.clear()

    await in_thread(deliver)(stripe_events.completed(order))
    await page.frame(lambda frame: frame.status == PaymentStatus.PAID)

    assert "live/_payment.html" not in rendered


async def test_a_change_is_read_and_rendered_once_however_many_of_the_staff_look(
    staff, shopper, deliver, no_patrols, rendered, monkeypatch
):
    monkeypatch.setattr(hub, "MOST_PAGES", 100)
    monkeypatch.setattr(sweep, "GATHERING", 0.5)  # so that the hint's echo from Redis is not a second sweep
    monkeypatch.setattr(panels, "PACE", 3600)  # the alarm was read when the pages were greeted
    monkeypatch.setattr(jobs, "_called_at", float("inf"))  # once a second it calls the worker to the e-mails
    queries: dict[int, list[int]] = {1: [], 8: []}
    for windows in (1, 8) * 2:  # on a slow machine something else may be counted once
        order = await an_order(shopper, (await in_thread(factories.product)(), 1))
        pages = [await live(staff, path(order)) for _ in range(windows)]
        rendered.clear()
        async with Queries() as counted:
            await in_thread(deliver)(stripe_events.completed(order))
            for page in pages:
                await page.frame(lambda frame: frame.status == PaymentStatus.PAID)
        queries[windows].append(counted.count)
        assert rendered.count("live/_payment.html") == 1

    assert min(queries[1]) == min(queries[8])


# --- who may look ---------------------------------------------------------------------------------


def loses_the_right(viewer: User, staff: Client) -> None:
    viewer.user_permissions.remove(Permission.objects.get(codename="view_payments"))


def session_ends(viewer: User, staff: Client) -> None:
    staff.post("/accounts/logout/")


def is_disabled(viewer: User, staff: Client) -> None:
    User.objects.filter(pk=viewer.pk).update(is_active=False)


ENDS = pytest.mark.parametrize(
    ("ends", "code"), [(loses_the_right, 4403), (session_ends, 4401), (is_disabled, 4401)]
)


@ENDS
async def test_the_page_closes_when_its_viewer_may_no_longer_look_and_hears_nothing_after(
    staff, viewer, shopper, quick_patrols, ends, code
):
    order = await a_paid_order(shopper)
    page, own_page = await live(staff, path(order)), await live(shopper, order.get_absolute_url())

    await in_thread(ends)(viewer, staff)

    assert await page.closes() == code
    await in_thread(order.flag)("Look at it.", source=Source.WEBHOOK)
    await own_page.frame(lambda frame: frame.version == 3)
    assert page.silent


@ENDS
async def test_a_page_whose_viewer_may_no_longer_look_before_it_connects_is_shown_nothing(
    staff, viewer, shopper, no_patrols, ends, code
):
    order = await a_paid_order(shopper)
    page = await Page.load(staff, path(order))
    await in_thread(order.flag)("Look at it.", source=Source.WEBHOOK)

    await in_thread(ends)(viewer, staff)

    socket = await page.connect()
    assert await socket.closes() == code
    assert socket.frames == []


async def test_a_change_is_not_even_shown_between_two_patrols_to_who_lost_the_right(
    staff, viewer, shopper, no_patrols
):
    order = await a_paid_order(shopper)
    page = await live(staff, path(order))
    await in_thread(loses_the_right)(viewer, staff)

    await in_thread(order.flag)("Look at it.", source=Source.WEBHOOK)

    assert await page.closes() == 4403
    assert [frame for frame in page.frames if frame.version == 3] == []


async def test_a_right_that_came_by_a_group_goes_with_it(shopper, quick_patrols):
    order = await a_paid_order(shopper)

    def a_viewer_by_group() -> tuple[Client, Group]:
        group = Group.objects.create(name="viewers")
        group.permissions.add(Permission.objects.get(codename="view_payments"))
        user = factories.user()
        user.groups.add(group)
        return factories.browser_of(user), group

    client, group = await in_thread(a_viewer_by_group)()
    page = await live(client, path(order))
    await page.patrolled()

    await in_thread(group.permissions.clear)()

    assert await page.closes() == 4403


async def test_other_pages_of_who_lost_the_right_stay_open(staff, viewer, shopper, quick_patrols):
    order = await a_paid_order(shopper)
    page, shop = await live(staff, path(order)), await live(staff)

    await in_thread(loses_the_right)(viewer, staff)

    assert await page.closes() == 4403
    await shop.patrolled()
    assert shop.code is None


async def test_a_ticket_of_staff_is_of_no_use_to_others_nor_for_other_orders(staff, shopper, no_patrols):
    order, other = await a_paid_order(shopper), await a_paid_order(shopper)
    page = await Page.load(staff, path(order))
    stranger = await Page.load(await in_thread(lambda: factories.browser_of(factories.user()))())

    assert await (await page.connect(cookies=stranger.cookies)).closes() == 4401
    assert await (await page.connect(cookies="")).closes() == 4401
    elsewhere = page.address.replace(str(order.public_id), str(other.public_id))
    assert await (await page.connect(address=elsewhere)).closes() == 4401
