"""When a log-in ends: staff's each day whatever they do, everybody's with the account or by logging out."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db

PASSWORD, NEW = "correct horse", "another horse, another staple"
OLD_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]


def log_in(user):
    client = Client()
    form = {"username": user.username, "password": PASSWORD}
    assert client.post("/accounts/login/", form).status_code == 302
    return client


def is_in(client):
    return client.get("/accounts/password_change/").status_code == 200


@pytest.fixture
def packer():
    """Whose right comes by a group, who is not "staff" to the admin."""
    group = Group.objects.create(name="Packers of this test")
    group.permissions.set(factories.staff("shop.view_payments").user_permissions.all())
    packer = factories.user()
    packer.groups.add(group)
    return packer


@pytest.mark.parametrize("who", ["a superuser", "one with a right", "one with a group"])
def test_staff_log_in_again_when_their_time_is_over_and_shoppers_do_not(settings, packer, who):
    staff = {
        "a superuser": factories.staff,
        "one with a right": lambda: factories.staff("shop.view_payments"),
        "one with a group": lambda: packer,
    }[who]()
    settings.STAFF_SESSION = timedelta(0)

    assert not is_in(log_in(staff))
    assert is_in(log_in(factories.user()))


def test_staffs_time_is_hours_and_shoppers_are_days(packer):
    log_in(packer)
    staffs = Session.objects.get().expire_date
    Session.objects.all().delete()
    log_in(factories.user())
    assert timedelta(days=13) < Session.objects.get().expire_date - staffs < timedelta(days=14)


def test_working_does_not_put_it_off(packer):
    client = log_in(packer)
    before = Session.objects.get().expire_date
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert client.post("/accounts/password_change/", form).status_code == 302

    assert is_in(client)
    assert Session.objects.get().expire_date == before


def test_a_session_that_somebody_copied_ends_with_the_log_out():
    client, thief = log_in(factories.user()), Client()
    thief.cookies["sessionid"] = client.cookies["sessionid"].value
    assert is_in(thief)

    client.post("/accounts/logout/")
    assert not is_in(thief)


def test_who_gets_a_right_after_logging_in_logs_in_again_for_it(packer):
    packer.groups.clear()
    client = log_in(packer)
    packer.groups.add(Group.objects.get())
    assert client.get("/dashboard/")["Location"] == "/accounts/login/?next=/dashboard/"

    assert (
        client.post("/accounts/login/", {"username": packer.username, "password": PASSWORD}).status_code
        == 302
    )
    assert client.get("/dashboard/").status_code == 200


@pytest.mark.parametrize("path", ["/admin/", "/admin/auth/user/"])
def test_who_is_made_staff_after_logging_in_logs_in_again_for_the_admin(path):
    user = factories.user()
    client = log_in(user)
    User.objects.update(is_staff=True, is_superuser=True)
    assert client.get(path)["Location"] == f"/admin/login/?next={path}"
    assert is_in(client), "to shop as before"

    form = {"username": user.username, "password": PASSWORD, "next": path}
    assert client.post("/admin/login/", form)["Location"] == path
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("before", "after"), [(OLD_BACKENDS, None), (None, OLD_BACKENDS)], ids=["up", "back"]
)
def test_an_upgrade_logs_nobody_out_and_neither_does_the_way_back(settings, before, after):
    """Nor does a proxy that leads to processes of both."""
    now = settings.AUTHENTICATION_BACKENDS
    settings.AUTHENTICATION_BACKENDS = before or now
    client = log_in(factories.user())

    settings.AUTHENTICATION_BACKENDS = after or now
    assert is_in(client)


def test_who_reads_the_table_of_sessions_is_not_logged_in_by_that():
    client, thief = log_in(factories.user()), Client()
    [row] = Session.objects.all()
    assert client.cookies["sessionid"].value not in str(vars(row))

    thief.cookies["sessionid"] = row.session_key
    assert not is_in(thief)
    assert is_in(client)


@pytest.mark.parametrize("end", [lambda user: user.update(is_active=False), lambda user: user.delete()])
def test_an_account_that_is_closed_or_deleted_is_out_everywhere(end):
    user = factories.user()
    clients = [log_in(user), log_in(user)]
    end(User.objects.filter(pk=user.pk))

    assert not any(is_in(client) for client in clients)


def test_staff_end_all_sessions_of_an_account_by_another_password(client):
    user = factories.user(password=PASSWORD)
    clients = [log_in(user), log_in(user)]
    client.force_login(factories.staff())
    form = {"usable_password": "true", "password1": NEW, "password2": NEW, "set-password": "1"}
    assert client.post(f"/admin/auth/user/{user.pk}/password/", form).status_code == 302

    assert not any(is_in(browser) for browser in clients)


def test_every_page_of_who_is_logged_in_has_the_way_out(packer):
    client = log_in(packer)
    for path in ("/", "/orders/", "/dashboard/", "/dashboard/webhooks/", "/accounts/password_change/"):
        assert 'action="/accounts/logout/"' in client.get(path).text, path
