"""Who may post to the webhook: Stripe, and nobody who only looks like it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import stripe

from shop.models import PaymentStatus, StripeEvent
from tests import factories, stripe_events

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parent.parent
SECRET = "whsec_of_the_tests"
OTHER_SECRET = "whsec_of_somebody_else"
PERSON = "grace.hopper@example.com"
DAY = 24 * 3600


@pytest.fixture(autouse=True)
def _secret(settings):
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture
def order():
    return factories.order()


@pytest.fixture
def body(order):
    details = {"email": PERSON, "name": "Grace"}
    return stripe_events.signed(stripe_events.completed(order, customer_details=details))[0]


def post(client, body, signature=None):
    headers = {} if signature is None else {"Stripe-Signature": signature}
    return client.post("/stripe-webhook/", body, content_type="application/json", headers=headers)


def sign(body, secret=SECRET, at=None):
    return stripe_events.signature(body, secret=secret, at=at)


BAD = {
    "1 none": lambda body: None,
    "2 empty": lambda body: "",
    "3 garbage": lambda body: "garbage",
    "3 garbage in its shape": lambda body: "t=soon,v1=,v1=abc",
    "3 no time": lambda body: sign(body).partition(",")[2],
    "3 a time that no clock shows": lambda body: f"t={'9' * 400},v1=abc",
    "4 v0 only": lambda body: sign(body).replace("v1=", "v0="),
    "5 another secret": lambda body: sign(body, OTHER_SECRET),
    "5 no secret at all": lambda body: stripe.WebhookSignature.generate_signature_header(body, ""),
    "7 signed 301 seconds ago": lambda body: sign(body, at=time.time() - 301),
    "7 signed at the beginning of time": lambda body: sign(body, at=1),
    "8 signed a day ahead": lambda body: sign(body, at=time.time() + DAY),
    "9 not ASCII": lambda body: sign(body)[:-1] + "é",
    "10 ten thousand guesses": lambda body: f"t={int(time.time())}," + ",".join(["v1=" + "0" * 64] * 10_000),
    "10 the right one among ten thousand": lambda body: sign(body) + ",v1=0" * 10_000,
}


@pytest.mark.parametrize("signature", BAD.values(), ids=BAD.keys())
def test_a_body_without_a_good_signature_is_refused_and_leaves_no_trace(
    client, caplog, order, body, signature
):
    caplog.set_level("DEBUG")
    header = signature(body)

    response = post(client, body, header)

    assert response.status_code == 400
    order.refresh_from_db()
    assert (order.payment_status, order.version) == (PaymentStatus.PENDING, 1)
    assert not StripeEvent.objects.exists()
    assert "Traceback" not in response.text
    for told in (caplog.text, response.text):
        assert SECRET not in told
        assert PERSON not in told
        assert str(order.public_id) not in told
        assert not header or header not in told


def test_one_changed_byte_of_the_body_is_noticed(client, order, body):
    changed = body.replace('"amount_total": 2', '"amount_total": 1')
    assert (len(changed), changed == body) == (len(body), False)

    assert post(client, changed, sign(body)).status_code == 400
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PENDING


def test_a_refusal_is_logged_with_its_reason(client, caplog, body):
    post(client, body, sign(body, OTHER_SECRET))

    assert "Webhook refused: The signature does not match." in caplog.messages


@pytest.mark.parametrize("age", [0, 290, -290], ids=["now", "290 s ago", "290 s ahead"])
def test_clocks_may_differ_by_some_minutes(client, body, age):
    assert post(client, body, sign(body, at=time.time() - age)).status_code == 200


@pytest.mark.parametrize("secret", ["whsec_new", "whsec_old"])
def test_while_a_secret_is_rotated_either_of_the_two_will_do(client, settings, order, body, secret):
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", "whsec_old"]

    assert post(client, body, sign(body, secret)).status_code == 200
    order.refresh_from_db()
    assert order.payment_status == PaymentStatus.PAID


def test_while_a_secret_is_rotated_stripe_signs_with_both(client, settings, body):
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new"]
    now = int(time.time())
    old, new = (sign(body, secret, at=now).partition(",")[2] for secret in ("whsec_old", "whsec_new"))

    assert post(client, body, f"t={now},{old},{new}").status_code == 200


def test_two_secrets_stand_in_one_setting():
    show = "from project.settings import STRIPE_WEBHOOK_SECRETS as secrets; print(secrets)"

    assert _python("-c", show, STRIPE_WEBHOOK_SECRET=" whsec_new , whsec_old,").stdout == (
        "['whsec_new', 'whsec_old']\n"
    )


@pytest.mark.parametrize("secret", ["", "  ", " , ,", None], ids=["empty", "blank", "commas", "missing"])
def test_without_a_secret_the_server_does_not_start(secret):
    refused = _python("manage.py", "check", STRIPE_WEBHOOK_SECRET=secret)

    assert refused.returncode != 0
    last_line = refused.stderr.splitlines()[-1]
    assert last_line.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert "STRIPE_WEBHOOK_SECRET" in last_line


def _python(*arguments: str, **environ: str | None) -> "subprocess.CompletedProcess[str]":
    """Python in an environment of its own, so that this process's settings play no part."""
    needed = {
        "SECRET_KEY": "of the tests",
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
        "REDIS_URL": "redis://127.0.0.1:1",
        "STRIPE_SECRET_KEY": "sk_test_of_the_tests",
    }
    given = {name: value for name, value in (needed | environ).items() if value is not None}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
