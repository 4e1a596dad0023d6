"""Accounts: signing up, in and out, new passwords, and what becomes of a guest's orders."""

import re
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.test import Client

from shop.models import Order, PaymentStatus, Product, Source
from shop.shoppers import GUEST_COOKIE
from tests import factories
from tests.worker import work

pytestmark = pytest.mark.django_db

PASSWORD = "a horse with a staple"
ADA = {"username": "ada", "email": "ada@example.com", "password1": PASSWORD, "password2": PASSWORD}


def sign_up(client, **fields):
    return client.post("/accounts/signup/", ADA | fields)


def log_in(client, user, **fields):
    return client.post("/accounts/login/", {"username": user.username, "password": PASSWORD} | fields)


def who(client):
    """The id of the account that is logged in."""
    return client.session.get("_auth_user_id")


@pytest.fixture
def ada():
    return factories.user(username="ada", email="ada@example.com", password=PASSWORD)


# --- signing up, in, out ----------------------------------------------------------------------------


def test_signing_up_makes_an_account_and_logs_in(client):
    response = sign_up(client)

    assert (response.status_code, response["Location"]) == (302, "/")
    ada = User.objects.get()
    assert (ada.email, ada.is_staff, who(client)) == ("ada@example.com", False, str(ada.pk))
    assert "ada" in client.get("/").text


NO_ACCOUNT = {
    "no e-mail": {"email": ""},
    "no address": {"email": "ada"},
    "no name": {"username": ""},
    "a name with NUL": {"username": "a\0da"},
    "a name with markup": {"username": "<script>alert(1)</script>"},
    "a short password": {"password1": "short", "password2": "short"},
    "a common password": {"password1": "password123", "password2": "password123"},
    "a password like the name": {"username": "staple-horse", "password1": "staple-horse"},
    "two passwords": {"password2": "another horse"},
    "a privilege": {"email": "", "is_staff": "on", "is_superuser": "on"},
}


@pytest.mark.parametrize("fields", NO_ACCOUNT.values(), ids=NO_ACCOUNT.keys())
def test_what_makes_no_account_is_said_and_kept(client, fields):
    response = sign_up(client, **fields)

    assert response.status_code == 422
    assert not User.objects.exists()
    assert who(client) is None
    assert PASSWORD not in response.text
    assert "<script>alert" not in response.text


def test_nobody_signs_up_as_staff(client):
    sign_up(client, is_staff="on", is_superuser="on", user_permissions="1")

    ada = User.objects.get()
    assert (ada.is_staff, ada.is_superuser) == (False, False)
    assert not ada.user_permissions.exists()


def test_a_name_can_be_had_once(client, ada):
    response = sign_up(client, username="ADA")

    assert response.status_code == 422
    assert User.objects.get() == ada


def test_logging_in_and_out(client, ada):
    assert log_in(client, ada)["Location"] == "/"
    assert who(client) == str(ada.pk)
    assert client.get("/accounts/logout/").status_code == 405, "a link must not log anybody out"
    assert who(client) == str(ada.pk)
    assert client.post("/accounts/logout/")["Location"] == "/"
    assert who(client) is None


def test_a_wrong_password_says_not_which_of_the_two_is_wrong(client, ada):
    wrong = log_in(client, ada, password="wrong")
    unknown = log_in(client, ada, username="grace")

    assert who(client) is None
    said = "Please enter a correct username and password"
    assert said in wrong.text
    assert said in unknown.text


def test_the_session_gets_a_new_key_at_login(client, ada):
    client.get("/")
    session = client.session
    session["before"] = True
    session.save()
    client.cookies["sessionid"] = session.session_key
    log_in(client, ada)

    assert client.cookies["sessionid"].value != session.session_key


# --- a guest's orders -------------------------------------------------------------------------------


@pytest.fixture
def guests_order(client):
    client.get("/")
    return factories.order(factories.shopper_of(client))


def test_a_guests_orders_move_to_the_account_that_she_makes(client, guests_order):
    sign_up(client)

    guests_order.refresh_from_db()
    assert guests_order.user == User.objects.get()
    assert guests_order.changes.last().what == "owner"
    assert client.get(guests_order.get_absolute_url()).status_code == 200
    assert guests_order.number in client.get("/orders/").text


def test_a_guests_orders_move_to_the_account_that_she_logs_in_to(client, guests_order, ada):
    paid = factories.order(factories.shopper_of(client))
    paid.mark_paid(payment_intent_id="pi_1", email="", source=Source.WEBHOOK)
    log_in(client, ada)

    assert set(Order.objects.values_list("user", flat=True)) == {ada.pk}
    page = client.get("/orders/").text
    assert guests_order.number in page
    assert paid.number in page


@pytest.mark.parametrize("enter", [lambda client, ada: sign_up(client, username="eve"), log_in])
def test_with_her_orders_the_guest_goes(client, guests_order, ada, enter):
    guest = client.cookies[GUEST_COOKIE].value
    enter(client, ada)
    assert client.cookies[GUEST_COOKIE]["max-age"] == 0

    thief = Client()
    thief.cookies[GUEST_COOKIE] = guest
    assert thief.get(guests_order.get_absolute_url()).status_code == 404
    assert guests_order.number not in thief.get("/orders/").text

    client.post("/accounts/logout/")
    client.get("/")
    assert client.cookies[GUEST_COOKIE].value not in ("", guest)
    assert client.get(guests_order.get_absolute_url()).status_code == 404


def test_another_guests_orders_stay_hers(client, guests_order, ada):
    another = factories.order()
    log_in(client, ada)

    another.refresh_from_db()
    assert (another.user, another.version) == (None, 1)
    assert another.number not in client.get("/orders/").text


def test_a_forged_guest_cookie_brings_nothing_along(client, ada):
    theirs = factories.order()
    client.cookies[GUEST_COOKIE] = str(theirs.guest_id)
    log_in(client, ada)

    theirs.refresh_from_db()
    assert theirs.user is None


def test_an_order_of_the_same_cart_in_the_account_is_no_obstacle(client, ada):
    bell = factories.product()
    client.get("/")
    guests = factories.order(factories.shopper_of(client), (bell, 1))
    users_client = Client()
    users_client.force_login(ada)
    users_client.post("/checkout/", {f"quantity-{bell.slug}": 1})
    log_in(client, ada)

    guests.refresh_from_db()
    assert guests.user == ada
    assert Order.objects.filter(user=ada, payment_status=PaymentStatus.PENDING).count() == 2
    assert Product.objects.get().held == 2


def test_a_failed_login_moves_nothing(client, guests_order, ada):
    log_in(client, ada, password="wrong")

    guests_order.refresh_from_db()
    assert (guests_order.user, guests_order.version) == (None, 1)


@pytest.mark.django_db(transaction=True)
def test_two_signups_with_one_name_at_once_make_one_account(at_once):
    browsers = [Client() for _ in range(4)]
    responses = at_once([partial(sign_up, browser) for browser in browsers])

    assert sorted(response.status_code for response in responses) == [302, 422, 422, 422]
    assert User.objects.count() == 1


# --- passwords --------------------------------------------------------------------------------------

NEW = "another horse, another staple"


def test_changing_the_password(client, ada):
    log_in(client, ada)
    assert client.get("/accounts/password_change/").status_code == 200
    response = client.post(
        "/accounts/password_change/",
        {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW},
        follow=True,
    )

    assert response.status_code == 200
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert who(client) == str(ada.pk), "who changes it stays logged in"


def test_changing_the_password_logs_out_everywhere_else(client, ada):
    elsewhere = Client()
    log_in(elsewhere, ada)
    log_in(client, ada)
    client.post(
        "/accounts/password_change/",
        {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW},
    )

    assert "Log in" in elsewhere.get("/").text


@pytest.mark.django_db(transaction=True)
def test_a_forgotten_password_is_replaced_by_mail(client, ada, mailoutbox, settings):
    response = client.post("/accounts/password_reset/", {"email": "ada@example.com"}, follow=True)
    assert response.status_code == 200
    work()

    [mail] = mailoutbox
    assert mail.to == ["ada@example.com"]
    [address] = re.findall(rf"{settings.PUBLIC_URL}(/\S+)", mail.body)
    form = client.get(address, follow=True)
    assert "testserver" not in form.request["PATH_INFO"]
    assert "<strong>ada</strong>" in form.text, "who has forgotten the password may have forgotten the name"
    done = client.post(form.request["PATH_INFO"], {"new_password1": NEW, "new_password2": NEW}, follow=True)

    assert done.status_code == 200
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert "new_password1" not in client.get(address, follow=True).text, "a link works once"


@pytest.mark.django_db(transaction=True)
def test_an_address_that_nobody_has_gets_no_mail_and_the_same_answer(client, ada, mailoutbox):
    known = client.post("/accounts/password_reset/", {"email": "ada@example.com"})
    unknown = client.post("/accounts/password_reset/", {"email": "grace@example.com"})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert mailoutbox == [], "a request does not wait for a mail server"
    work()
    assert len(mailoutbox) == 1


def test_a_reset_link_never_names_a_foreign_host(client, ada, mailoutbox):
    response = client.post(
        "/accounts/password_reset/", {"email": "ada@example.com"}, headers={"host": "evil.example"}
    )

    assert response.status_code == 400
    assert mailoutbox == []


PAGES = ["signup", "login", "password_reset", "password_reset/done", "reset/MQ/set-password", "reset/done"]


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_of_accounts_are_ours_and_open(client, page):
    response = client.get(f"/accounts/{page}/")

    assert response.status_code == 200
    assert "Shopbell</title>" in response.text
    assert "Django administration" not in response.text


@pytest.mark.parametrize("page", ["password_change", "password_change/done"])
def test_a_password_is_changed_by_who_is_logged_in(client, page):
    assert client.get(f"/accounts/{page}/")["Location"].startswith("/accounts/login/?next=")


# --- where to go next -------------------------------------------------------------------------------

EVIL = [
    "//evil.example",
    "///evil.example",
    "https://evil.example/",
    "http:evil.example",
    "javascript:alert(1)",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\n//evil.example",
    "data:text/html,x",
    "https://testserver@evil.example/",
    "https://testserver.evil.example/",
]


@pytest.mark.parametrize("target", EVIL)
def test_next_never_leads_out_of_the_shop_32(client, ada, target):
    assert log_in(client, ada, next=target)["Location"] == "/"
    assert client.post("/accounts/logout/", {"next": target})["Location"] in ("/", "/accounts/logout/")
    assert sign_up(client, username="eve", next=target)["Location"] == "/"


def test_next_leads_to_a_page_of_the_shop(client, ada):
    assert log_in(client, ada, next="/orders/")["Location"] == "/orders/"
