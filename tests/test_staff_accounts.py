"""The accounts that `make run` makes: of different rights, and what was changed by hand stays."""

import re

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client

from sandbox.accounts import COLLEAGUES
from sandbox.prepare import make_colleague
from shop.rights import FULFIL_ORDER, REFUND_ORDER, VIEW_PAYMENTS, VIEW_WEBHOOK_PAYLOAD
from tests import factories

pytestmark = pytest.mark.django_db

RIGHTS = {
    "viewer": {VIEW_PAYMENTS},
    "packer": {VIEW_PAYMENTS, FULFIL_ORDER},
    "manager": {VIEW_PAYMENTS, FULFIL_ORDER, REFUND_ORDER, VIEW_WEBHOOK_PAYLOAD},
}


def start(password="sesame, open"):  # noqa: S107
    """What a start of `make run` does about them."""
    call_command("seed_groups", verbosity=0)
    for username, group in COLLEAGUES.items():
        make_colleague(username, group, password)


def rights_of(username):
    return User.objects.get(username=username).get_all_permissions()


def logs_in(username, password):
    client = Client()
    client.post("/accounts/login/", {"username": username, "password": password})
    return client if "_auth_user_id" in client.session else None


def test_each_has_rights_of_its_own_and_none_may_everything():
    start()

    assert {username: rights_of(username) for username in COLLEAGUES} == RIGHTS
    assert not User.objects.filter(is_superuser=True).exists()


def test_they_log_in_and_see_what_they_may_do():
    order = factories.paid_order()
    start()

    for username, rights in RIGHTS.items():
        client = logs_in(username, "sesame, open")
        assert client.get(f"/dashboard/orders/{order.public_id}/").status_code == 200
        answer = client.post(f"/dashboard/orders/{order.public_id}/deliver/")
        assert (answer.status_code != 403) == (FULFIL_ORDER in rights)
        answer = client.post(f"/dashboard/orders/{order.public_id}/cancel/")
        assert (answer.status_code != 403) == (REFUND_ORDER in rights)


def test_a_start_gives_nothing_back_that_was_taken_away_by_hand():
    start()
    User.objects.get(username="manager").groups.clear()
    Group.objects.get(name="Packers").permissions.remove(Permission.objects.get(codename="fulfil_order"))
    User.objects.filter(username="viewer").update(is_active=False)
    start()

    assert rights_of("manager") == set()
    assert rights_of("packer") == {VIEW_PAYMENTS}
    assert logs_in("viewer", "sesame, open") is None


def test_the_password_is_always_the_one_that_is_told():
    start()
    viewer = logs_in("viewer", "sesame, open")
    start()
    assert "_auth_user_id" in viewer.session
    assert viewer.get("/orders/").wsgi_request.user.is_authenticated  # and nobody was logged out

    start("another one")
    assert logs_in("viewer", "sesame, open") is None
    assert logs_in("viewer", "another one")


def test_somebody_elses_account_is_left_alone(capsys):
    factories.user(username="viewer", password="my own")
    factories.staff(username="manager", password="my own")
    start()

    assert rights_of("viewer") == set()
    assert logs_in("viewer", "my own")
    assert logs_in("manager", "my own")
    notes = re.findall(r"^Note: (\w+) was somebody's account already", capsys.readouterr().out, re.MULTILINE)
    assert notes == ["viewer", "manager"]


def test_a_merchants_own_database_gets_groups_when_asked_and_never_accounts(capsys):
    call_command("seed_groups")
    assert capsys.readouterr().out == "3 groups created, 0 already there.\n"
    call_command("seed_groups")
    assert capsys.readouterr().out == "0 groups created, 3 already there.\n"

    assert not User.objects.exists()
