"""The API's own description: complete, shown from local files, and true of whatever one sends: row 50."""

import re

import pytest
import schemathesis
from django.core.management import call_command
from hypothesis import HealthCheck, settings
from rest_framework.authtoken.models import Token
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance

from project.asgi import application
from shop.api.authentication import token_for
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

load_all_checks()
schema = schemathesis.openapi.from_asgi("/api/schema/", application, headers={"Host": "127.0.0.1"})
bounded = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def test_the_description_is_valid_and_nothing_had_to_be_guessed(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_the_documentation_comes_whole_from_here_and_without_inline_scripts(client):
    page = client.get("/api/docs/").text

    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 4
    ours = ("/static/drf_spectacular_sidecar/", "/api/docs/")
    assert all(address.startswith(ours) for address in addresses)
    assert not re.search(r"<script>|<style|style=|\bon\w+=", page)


@pytest.fixture
def _shop(stripe):
    """Something to buy, under the name that the description's example has for it."""
    factories.product(slug="counter-bell", stock=None)


@schema.parametrize()
@bounded
@pytest.mark.usefixtures("_shop")
def test_whatever_a_stranger_sends_is_answered_as_described_50(case):
    send(case)


@pytest.fixture
def order(_shop):
    order = factories.order()
    order.hand_over(factories.user().pk)
    return order


@schema.parametrize()
@bounded
def test_whatever_a_customer_sends_is_answered_as_described_50(case, order):
    """With a token of her own, and the names of what there is wherever the case has a fitting name."""
    row, _created = Token.objects.get_or_create(user=order.user)
    if case.meta.generation.mode.is_positive:
        name_what_there_is(case, order)
    send(case, headers={"Authorization": f"Token {token_for(row)}"})


def name_what_there_is(case, order):
    known = {"slug": "counter-bell", "public_id": str(order.public_id)}
    case.path_parameters = {name: known[name] for name in case.path_parameters}
    if case.path == "/api/v1/checkout/":
        for item in case.body["items"]:
            item["product"] = "counter-bell"


def send(case, **how):
    # A form that is filled in well may still ask for what is not on sale, or come with a wrong password.
    excluded = [positive_data_acceptance] if case.method == "POST" else []
    case.call_and_validate(excluded_checks=excluded, **how)


def test_a_version_that_there_is_none_of_is_nothing_to_the_description(client):
    assert client.get("/api/schema/?version=%0d%0aX").status_code == 200
