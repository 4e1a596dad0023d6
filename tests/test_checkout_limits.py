"""Who tries out stolen cards needs many payment pages: how many a shopper, and a network, may open."""

from datetime import timedelta

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.db.models import F
from django.test import AsyncClient, Client

from shop import tasks
from shop.models import Allowance, Order
from tests import factories
from tests.test_api_throttles import redis_at
from tests.worker import work

API = "/api/v1/checkout/"


@pytest.fixture
def limits(settings):
    def at(**rates):
        settings.LIMITS = settings.LIMITS | rates

    return at


def buy(client, bell, quantity=1):
    return client.post("/checkout/", {f"quantity-{bell.slug}": quantity})


def buy_by_api(client, bell, quantity=1):
    items = {"items": [{"product": bell.slug, "quantity": quantity}]}
    return client.post(API, items, content_type="application/json")


def statuses(*answers):
    return [answer.status_code for answer in answers]


def let_pass(time):
    Allowance.objects.update(full_at=F("full_at") - time)


# --- what she is told ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_who_opens_too_many_payment_pages_is_told_when_to_come_back_and_keeps_her_cart(
    stripe, shopper, bell, limits
):
    limits(checkout="2/hour")
    assert statuses(buy(shopper, bell), buy(shopper, bell)) == [303, 303]

    refused = buy(shopper, bell, 3)
    assert refused.status_code == 429
    assert 1790 < int(refused["Retry-After"]) <= 1800
    assert "Your cart is kept: try again in 30 minutes." in refused.text
    assert "3 × <bdi>Bell" in refused.text
    assert 'value="3"' in refused.text
    assert "Shopbell</title>" in refused.text
    assert Order.objects.get().lines.get().quantity == 1, "nothing was ordered"


@pytest.mark.django_db
def test_the_api_says_so_as_a_problem(stripe, shopper, bell, limits):
    limits(checkout="1/min")
    assert buy_by_api(shopper, bell).status_code == 201

    refused = buy_by_api(shopper, bell, 2)
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    assert 50 < int(refused["Retry-After"]) <= 60
    assert refused.json()["title"] == "Too Many Requests"
    assert Order.objects.count() == 1


@pytest.mark.django_db
def test_the_pay_button_of_an_order_counts_as_well(stripe, shopper, bell, limits):
    limits(checkout="2/hour")
    buy(shopper, bell)
    pay = f"/orders/{Order.objects.get().public_id}/pay/"
    assert shopper.post(pay).status_code == 303

    refused = shopper.post(pay)
    assert refused.status_code == 429
    assert refused["Retry-After"]
    assert Order.objects.get().get_absolute_url() in refused.text


@pytest.mark.django_db
def test_stripe_is_not_asked_again_and_again_whether_a_payment_has_arrived(stripe, shopper, bell, limits):
    limits(check="2/hour")
    buy(shopper, bell)
    check = f"/orders/{Order.objects.get().public_id}/check/"
    answers = [shopper.post(check) for _ in range(3)]

    assert statuses(*answers) == [204, 204, 429]
    assert answers[-1]["Retry-After"]


@pytest.mark.django_db
def test_a_while_later_there_is_one_more_and_not_all_at_once(stripe, shopper, bell, limits):
    limits(checkout="2/hour")
    buy(shopper, bell)
    buy(shopper, bell)

    let_pass(timedelta(minutes=31))
    assert statuses(buy(shopper, bell), buy(shopper, bell)) == [303, 429]
    let_pass(timedelta(hours=2))
    assert statuses(buy(shopper, bell), buy(shopper, bell), buy(shopper, bell)) == [303, 303, 429]


@pytest.mark.django_db
def test_what_is_refused_is_not_counted_and_does_not_make_the_wait_longer(stripe, shopper, bell, limits):
    limits(checkout="1/hour", checkout_network="9/hour")
    buy(shopper, bell)
    assert statuses(*(buy(shopper, bell) for _ in range(5))) == [429] * 5

    let_pass(timedelta(minutes=61))
    assert buy(shopper, bell).status_code == 303
    assert statuses(*(buy(Client(), bell) for _ in range(3))) == [303] * 3


@pytest.mark.django_db
def test_who_has_to_wait_for_others_of_her_network_loses_nothing_of_her_own(stripe, shopper, bell, limits):
    limits(checkout="2/hour", checkout_network="1/hour")
    buy(shopper, bell)
    assert statuses(*(buy(shopper, bell) for _ in range(3))) == [429] * 3

    Allowance.objects.filter(key__startswith="checkout_network:").delete()
    assert buy(shopper, bell).status_code == 303


@pytest.mark.django_db
def test_a_cart_that_cannot_be_bought_costs_nothing(stripe, shopper, bell, limits):
    limits(checkout="1/hour")
    assert statuses(*(buy(shopper, bell, "x") for _ in range(3))) == [422] * 3
    assert statuses(*(buy_by_api(shopper, bell, 100) for _ in range(3))) == [400] * 3

    assert buy(shopper, bell).status_code == 303


# --- who is counted, and where ------------------------------------------------------------------------


@pytest.mark.django_db
def test_pages_and_api_are_one_count(stripe, shopper, bell, limits):
    limits(checkout="2/hour")

    assert statuses(buy(shopper, bell), buy_by_api(shopper, bell)) == [303, 201]
    assert statuses(buy(shopper, bell), buy_by_api(shopper, bell)) == [429, 429]


@pytest.mark.django_db
def test_others_are_not_told_to_wait(stripe, shopper, bell, limits):
    limits(checkout="1/hour")
    buy(shopper, bell)
    assert buy(shopper, bell).status_code == 429

    assert buy(Client(), bell).status_code == 303, "another guest of the same network"


@pytest.mark.django_db
def test_an_account_is_one_wherever_it_is_logged_in(stripe, bell, limits):
    limits(checkout="1/hour")
    ada = factories.user()
    home, elsewhere = Client(), Client(REMOTE_ADDR="192.0.2.9")
    home.force_login(ada)
    elsewhere.force_login(ada)

    assert statuses(buy(home, bell), buy(elsewhere, bell)) == [303, 429]


@pytest.mark.django_db
@pytest.mark.parametrize("buying", [buy, buy_by_api])
def test_without_cookies_the_network_counts(stripe, bell, limits, buying):
    limits(checkout_network="2/hour")
    same = [Client(REMOTE_ADDR=f"2001:db8::{number}") for number in range(3)]

    assert [buying(client, bell).status_code < 400 for client in same] == [True, True, False]
    assert buying(Client(REMOTE_ADDR="2001:db8:0:1::1"), bell).status_code < 400


@pytest.mark.django_db
def test_a_made_up_address_is_no_way_around_it(stripe, bell, limits):
    limits(checkout_network="1/hour")
    buy(Client(), bell)

    assert buy(Client(headers={"x-forwarded-for": "192.0.2.7"}), bell).status_code == 429


@pytest.mark.django_db(transaction=True)
def test_not_one_too_many_gets_through_however_many_ask_at_once(stripe, at_once, limits):
    limits(checkout_network="3/hour")
    bell = factories.product(stock=50)
    answers = at_once([lambda: buy_by_api(Client(), bell).status_code] * 12)

    assert sorted(answers) == [201] * 3 + [429] * 9


@pytest.mark.django_db(transaction=True)
async def test_it_holds_under_asgi(stripe, limits):
    limits(checkout="1/hour", checkout_network="1/hour")
    bell = await sync_to_async(factories.product)()
    cart = {f"quantity-{bell.slug}": 1}

    assert statuses(*[await AsyncClient().post("/checkout/", cart) for _ in range(2)]) == [303, 429]


@pytest.mark.django_db
def test_without_redis_it_is_counted_all_the_same(stripe, bell, limits, settings, monkeypatch):
    redis_at(1, settings, monkeypatch)
    limits(checkout="1/hour")
    client = Client()

    assert statuses(buy_by_api(client, bell), buy_by_api(client, bell)) == [201, 429]
    caches["default"].clear()
    assert buy(client, bell).status_code == 429


def test_two_processes_count_together(stack):
    """Three payment pages: one by each process, and there is none left in either."""
    with (
        stack.another_web(CHECKOUT_RATE="2/hour") as one,
        stack.another_web(CHECKOUT_RATE="2/hour") as two,
        httpx.Client(trust_env=False, timeout=30) as browser,
    ):
        pages = [
            browser.post(f"{web}{API}", json=_cart(browser, web), headers=_csrf(browser))
            for web in (one, two, one, two)
        ]
    assert [page.status_code for page in pages] == [201, 201, 429, 429]


def _cart(browser, web):
    [product, *_] = browser.get(f"{web}/api/v1/products/").json()
    return {"items": [{"product": product["slug"], "quantity": 1}]}


def _csrf(browser):
    return {"X-CSRFToken": browser.cookies.get("csrftoken", "")}


# --- what is kept -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_is_full_again_is_forgotten(client, limits):
    limits(password="3/hour", signup="3/hour")
    client.post("/accounts/signup/", {})
    let_pass(timedelta(hours=1))
    client.force_login(ada := factories.user())
    client.post("/accounts/password_change/", {})

    tasks.forget_what_is_over.configure().defer(timestamp=0)
    work()
    assert [allowance.key for allowance in Allowance.objects.all()] == [f"password:u{ada.pk}"]


# --- the other forms that have a limit --------------------------------------------------------------


@pytest.mark.django_db
def test_a_network_makes_so_many_accounts_and_asks_for_so_many_names(limits):
    limits(signup="2/hour")
    password = "a horse with a staple"
    ada = {"username": "ada", "email": "ada@example.com", "password1": password, "password2": password}
    taken = ada | {"password2": ""}
    answers = [Client().post("/accounts/signup/", data) for data in (ada, taken, ada | {"username": "eve"})]

    assert statuses(*answers) == [302, 422, 429]
    assert answers[-1]["Retry-After"]
    assert "Please wait a little" in answers[-1].text
    assert Client().get("/accounts/signup/").status_code == 200


@pytest.mark.django_db
def test_who_found_an_open_browser_does_not_guess_the_old_password_in_it(client, limits):
    limits(password="2/hour")
    ada = factories.user(password="correct horse")
    client.force_login(ada)
    new = {"new_password1": "another horse", "new_password2": "another horse"}
    change = "/accounts/password_change/"
    guesses = [client.post(change, {"old_password": old} | new) for old in ("a", "b", "correct horse")]

    assert statuses(*guesses) == [200, 200, 429]
    assert client.get(change).status_code == 200
    ada.refresh_from_db()
    assert ada.check_password("correct horse")


@pytest.mark.django_db
def test_the_admin_has_no_other_form_for_that(admin_client):
    assert admin_client.post("/admin/password_change/")["Location"] == "/accounts/password_change/"
