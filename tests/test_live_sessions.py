"""A page is shown nothing more once its session is over: it is closed with 4401 by the next patrol."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from shop.models import Source
from tests import factories, stripe_events
from tests.live import Page, an_order, in_thread, live

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_patrols")]

PASSWORD = "correct horse"


@pytest.fixture
def user(db: None) -> User:
    return factories.user(password=PASSWORD)


@pytest.fixture
def member(user: User) -> Client:
    return logged_in(user)


def logged_in(user: User) -> Client:
    client = Client()
    form = {"username": user.username, "password": PASSWORD}
    assert client.post("/accounts/login/", form).status_code == 302
    return client


def logs_out(member: Client, user: User) -> None:
    member.post("/accounts/logout/")


def changes_the_password_elsewhere(member: Client, user: User) -> None:
    elsewhere = logged_in(user)
    new = {"old_password": PASSWORD, "new_password1": "battery staple", "new_password2": "battery staple"}
    assert elsewhere.post("/accounts/password_change/", new).status_code == 302


def is_disabled(member: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def is_deleted(member: Client, user: User) -> None:
    user.delete()


def session_runs_out(member: Client, user: User) -> None:
    Session.objects.update(expire_date=timezone.now())


def session_is_swept_away(member: Client, user: User) -> None:
    Session.objects.all().delete()


@pytest.mark.parametrize(
    "ends",
    [
        logs_out,
        changes_the_password_elsewhere,
        is_disabled,
        is_deleted,
        session_runs_out,
        session_is_swept_away,
    ],
)
async def test_a_users_page_closes_when_the_session_ends_and_hears_nothing_after(member, user, ends):
    page, stranger = await live(member), await live(Client())

    await in_thread(ends)(member, user)

    assert await page.closes() == 4401
    bell = await in_thread(factories.product)()
    await in_thread(bell.revise)(unit_amount=1)
    await stranger.frame(lambda frame: frame.key == f"stock-{bell.slug}")
    assert page.silent


@pytest.mark.parametrize("ends", [logs_out, is_disabled, session_is_swept_away])
async def test_a_page_whose_session_ended_before_it_connects_is_shown_nothing(member, user, ends):
    shop = await Page.load(member)
    bell = await in_thread(factories.product)()
    await in_thread(bell.revise)(unit_amount=1)

    await in_thread(ends)(member, user)

    socket = await shop.connect()
    assert await socket.closes() == 4401
    assert socket.frames == []


async def test_a_page_stays_open_when_its_user_changes_the_password_there_or_logs_in_elsewhere(member, user):
    page = await live(member)

    elsewhere = await in_thread(logged_in)(user)
    await in_thread(elsewhere.post)("/accounts/logout/")
    await page.patrolled()

    assert page.code is None


async def test_a_guests_pages_close_when_the_orders_move_to_an_account(shopper, user, deliver):
    order = await an_order(shopper)
    own_page, shop, stranger = (
        await live(shopper, order.get_absolute_url()),
        await live(shopper),
        await live(Client()),
    )

    await in_thread(shopper.post)("/accounts/login/", {"username": user.username, "password": PASSWORD})

    assert await own_page.closes() == 4401
    assert await shop.closes() == 4401
    await in_thread(deliver)(stripe_events.completed(order))
    await stranger.patrolled()
    assert own_page.silent
    assert shop.silent

    await order.arefresh_from_db()
    assert order.user_id == user.pk
    again = await live(shopper, order.get_absolute_url())
    await in_thread(order.flag)("Look at it.", source=Source.STAFF)
    await again.frame(lambda frame: frame.version == order.version)


async def test_a_guest_without_orders_who_logs_in_leaves_other_guests_alone(shopper, user):
    stranger = await live(Client())

    await in_thread(shopper.get)("/")
    await in_thread(shopper.post)("/accounts/login/", {"username": user.username, "password": PASSWORD})
    await stranger.patrolled()

    assert stranger.code is None
