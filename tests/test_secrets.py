"""No secret in what the shop writes down, shows, or is made of; and no card holder's data in the log."""

import json
import os
import re
import secrets
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings as shop_settings
from django.test import Client

from project import discreet
from sandbox.environment import ROOT
from tests import factories
from tests.local_stripe import eventually
from tests.stack import Stack
from tests.test_worker import Shopper, pay

CARD = "4242424242424242"  # as tests.test_worker pays
EMAIL = "ada@example.com"
WRONG = "canary-wrong-password"
STAFF_PAGE = "/dashboard/webhooks/"


# --- what the running shop says -------------------------------------------------------------------


class Visitor(Shopper):
    """Keeps every answer, and knows what nobody else may learn."""

    def __init__(self, stack):
        super().__init__(stack)
        self.answers = []
        self.client.timeout = 30
        self.client.event_hooks = {"response": [self.keep]}

    def keep(self, answer):
        answer.read()
        self.answers.append(f"{answer.headers} {answer.text}")

    def post(self, path, **form):
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page("/accounts/login/"))
        return self.client.post(
            self.stack.url + path, data=form | {"csrfmiddlewaretoken": token[1] if token else ""}
        )

    def keys(self):
        """What makes her who she is: cookies, and the tickets of the pages that she has open."""
        tickets = re.findall(r"ticket=([\w:.-]+)", " ".join(self.answers))
        return {**{f"cookie {n}": v for n, v in self.client.cookies.items()}, "ticket": tickets[-1]}


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """The whole shop after a bad day: the stack, the secrets by name, and all answers."""
    address = urlsplit(os.environ["DATABASE_URL"])
    password = address.password or f"canary-{secrets.token_hex(8)}"
    with pytest.MonkeyPatch.context() as patch:
        host = address.netloc.rpartition("@")[2]
        patch.setenv(
            "DATABASE_URL", address._replace(netloc=f"{address.username}:{password}@{host}").geturl()
        )
        with Stack(tmp_path_factory.mktemp("secrets")) as stack:
            known = {name: stack.env[name] for name in ("SECRET_KEY", "STRIPE_SECRET_KEY", "STAFF_PASSWORD")}
            known |= {"webhook secret": stack.env["STRIPE_WEBHOOK_SECRET"], "database password": password}
            yield stack, known, bad_day(stack, known)


def bad_day(stack, known):
    shopper, staff, thief = Visitor(stack), Visitor(stack), Visitor(stack)
    hosted, path = shopper.order()
    pay(hosted)
    eventually(lambda: 'data-payment-status="paid"' in shopper.page(path), seconds=60)
    known["link"] = urlsplit(stack.link_in_mail("order")).path.rstrip("/").rpartition("/")[2]
    thief.client.get(f"{stack.url}/orders/link/{known['link']}/")

    for name in ("staff", EMAIL, WRONG):
        thief.post("/accounts/login/", username=name, password=WRONG)
    staff.post("/accounts/login/", username="staff", password=known["STAFF_PASSWORD"])
    assert "Webhooks" in staff.page(STAFF_PAGE)
    known |= {f"staff's {name}": key for name, key in staff.keys().items()}
    known |= {f"shopper's {name}": key for name, key in shopper.keys().items()}

    shopper.post("/orders/find/", email=EMAIL)
    eventually(lambda: "send_links" not in jobs_of(stack), seconds=30)
    forge_webhooks(stack, known, thief)
    stack.stripe.kill()
    stack.stripe.wait(5)
    assert shopper.post("/checkout/", **{"quantity-desk-bell": "1", "email": CARD}).status_code >= 400
    with stack.without_database():
        assert shopper.client.get(stack.url + path).status_code >= 500
        assert thief.client.get(stack.url + STAFF_PAGE).status_code >= 300
        assert staff.client.get(stack.url + STAFF_PAGE).status_code >= 500
        forge_webhooks(stack, known, thief)
    return shopper.answers + staff.answers + thief.answers


def jobs_of(stack):
    with psycopg.connect(stack.database.url) as database:
        found = database.execute("SELECT json_agg(job)::text FROM procrastinate_jobs job").fetchone()
    return (found and found[0]) or ""


def forge_webhooks(stack, known, thief):
    body = json.dumps({"id": "evt_1", "data": {"object": {"email": EMAIL, "number": CARD}}})
    for signature in (known["webhook secret"], f"t=1,v1={known['webhook secret']}", ""):
        thief.client.post(
            f"{stack.url}/stripe-webhook/", content=body, headers={"Stripe-Signature": signature}
        )


def test_the_log_has_no_secret_and_no_address(busy):
    stack, known, _ = busy
    logs = {process.name: process.log.read_text() for process in (stack.daphne, stack.worker)}
    assert "Traceback" in logs["daphne"], "or there was no error that could have told"
    assert "Log-in failed" in logs["daphne"]

    for name, secret in {**known, "card": CARD, "e-mail": EMAIL, "wrong password": WRONG}.items():
        for log, text in logs.items():
            assert secret not in text, f"{name} in the log of {log}"


def test_no_answer_has_a_secret_of_the_shop_or_what_was_typed_in_secret(busy):
    _, known, answers = busy
    shops = ("SECRET_KEY", "STRIPE_SECRET_KEY", "STAFF_PASSWORD", "webhook secret", "database password")
    for name, secret in {**{name: known[name] for name in shops}, "card": CARD}.items():
        assert not [answer for answer in answers if secret in answer], name
    assert not [answer for answer in answers if "Traceback" in answer]


def test_no_job_and_no_event_has_a_secret(busy):
    stack, known, _ = busy
    jobs = jobs_of(stack)
    with psycopg.connect(stack.database.url) as database:
        found = database.execute("SELECT json_agg(e)::text FROM shop_stripeevent e").fetchone()
    events = (found and found[0]) or ""

    assert EMAIL in events, "which is why they are purged"
    for name, secret in {**known, "card": CARD, "wrong password": WRONG}.items():
        assert secret not in jobs, name
        assert secret not in events, name
    assert EMAIL not in jobs


# --- what DEBUG shows, where something is wrong ---------------------------------------------------


@pytest.mark.django_db
def test_the_page_of_an_error_hides_what_would_open_the_shop(settings, monkeypatch):
    """As it would be copied into a chat."""
    settings.DEBUG = True
    browser = Client(raise_request_exception=False)
    browser.force_login(factories.user())
    session = browser.session.session_key
    settings.CACHES["throttles"]["LOCATION"] = "redis://:canary-of-redis@redis.example:6379"
    settings.STATIC_ROOT = object()
    monkeypatch.setattr("shop.forms.FindOrdersForm.is_valid", lambda form: 1 / 0)

    answer = browser.post(
        "/orders/find/", {"email": EMAIL, "password": WRONG, "number": CARD}, headers={"accept": "text/html"}
    )
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.text
    known = {"session": str(session), "e-mail": EMAIL, "password": WRONG, "card": CARD}
    known |= {"secret key": settings.SECRET_KEY, "Stripe's key": settings.STRIPE_SECRET_KEY}
    known |= {"webhook secret": settings.STRIPE_WEBHOOK_SECRETS[0], "Redis": "canary-of-redis"}
    for name, secret in known.items():
        assert secret not in answer.text, name


# --- by their look --------------------------------------------------------------------------------

TOLD = {
    "a link": ("GET /orders/link/abc-def/ 200", "GET /orders/link/…/ 200"),
    "a key": ("Invalid API Key provided: sk_live_51Habc", "Invalid API Key provided: sk_live_…"),
    "a ticket": ("/ws/shop/?ticket=eyJ.abc:def&x=1", "/ws/shop/?ticket=…&x=1"),
    "a session": ("Cookie: sessionid=abcdef; guest=1:2:3", "Cookie: sessionid=…; guest=…"),
    "a token": ("Authorization: Token 9944b.09199", "Authorization: Token …"),
    "an address with a password": ("redis://:se:cret@redis/0", "redis://:…@redis/0"),
    "an address with a long scheme": (f"{30 * 'x'}://ada:secret@host", f"{30 * 'x'}://ada:…@host"),
    "a row": ("ERROR\nDETAIL:  Failing row contains (Ada, 1).", "ERROR\nDETAIL:  …"),
    "a card": ("card 4242 4242 4242 4242 declined", "card … declined"),
    "no card": ("order 4242424242424241 of 2026-11-23T15:00:00.123456", None),
    "an e-mail": ("sent to ada@example.com.", "sent to …@…."),
}


@pytest.mark.parametrize(("text", "told"), TOLD.values(), ids=TOLD.keys())
def test_a_secret_is_masked_wherever_it_comes_from(text, told):
    assert discreet.discreet(text) == (told or text)


NASTY = [
    "a",
    "\n",
    " ",
    "a@",
    "a%40",
    64 * "a" + "@",
    "a.",
    "://",
    "a://a:",
    "4 ",
    "pi_",
    "ticket ",
    "Token ",
]


@pytest.mark.parametrize("letters", [*NASTY, "Token ", "DETAIL:\n", "/accounts/reset/"])
def test_four_times_the_text_costs_about_four_times_as_much_whatever_it_is(letters):
    """Whoever sends a long address would else stop the shop for all."""

    def seconds(length):
        text, spent = letters * (length // len(letters)), []
        for _ in range(3):
            begun = time.thread_time()
            discreet.discreet(text)
            spent.append(time.thread_time() - begun)
        return min(spent)

    assert seconds(64_000) < 8 * seconds(16_000)


@pytest.mark.parametrize("name", ["SECRET_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"])
def test_the_shops_own_secrets_are_masked_whatever_they_look_like(name):
    secret = getattr(shop_settings, name)
    secret = secret if isinstance(secret, str) else secret[0]
    assert secret not in discreet.discreet(f"It is ({secret}).")


# --- what the shop is made of ---------------------------------------------------------------------

# In two parts, so that the scan does not find itself.
LOOKS = re.compile(
    r"(?:sk|rk)_live_\w{10,}|sk_test_(?!0{24})\w{24,}|whsec_\w{24,}|gh[pousr]_\w{30,}|xox[abp]-[\w-]{20,}|AKIA[0-9A-Z]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|^(?:SECRET_KEY|STRIPE_\w*(?:KEY|SECRET)|\w+_PASSWORD)=[\"']?[\w+/-]{8,}",
    re.MULTILINE,
)
SECRETS = ["sk_live_" + 10 * "a", "sk_test_" + 24 * "a", "whsec_" + 24 * "a", "AKIA" + 16 * "A"]


def committed():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_file_of_the_repository_has_what_looks_like_a_secret():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: nobody could commit anything here")
    found = {
        f"{path.relative_to(ROOT)}: {match[0][:12]}…"
        for path in committed()
        if path.is_file()
        for match in LOOKS.finditer(path.read_bytes().decode(errors="replace"))
    }
    assert not found
    assert not [path for path in committed() if path.name == ".env" or Path(path).suffix in (".pem", ".key")]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_would_be_found(secret):
    assert LOOKS.search(f"x\n{secret}\n")
