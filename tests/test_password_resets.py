"""The e-mail with the link to a new password: by the worker, seldom, and with no stranger's words in it."""

from datetime import timedelta

import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from shop import emails, resets
from shop.models import LinksEmail
from tests import factories
from tests.worker import waiting, work

pytestmark = pytest.mark.django_db

ADA = "ada@example.com"


class Away(BaseEmailBackend):
    """A mail server that nobody can reach."""

    def send_messages(self, messages):
        raise ConnectionRefusedError(f"Nobody takes letters to {messages[0].to}")


def ask(client, email=ADA):
    return client.post("/accounts/password_reset/", {"email": email})


def accounts(number, email=ADA):
    return [factories.user(username=f"{email}-{index}", email=email) for index in range(number)]


def test_the_answer_and_its_work_are_the_same_whoever_asks(client, django_assert_num_queries):
    accounts(1)
    for email in (ADA, "grace@example.com"):
        with django_assert_num_queries(3):  # a savepoint, its end, and the job between
            assert ask(client, email)["Location"] == "/accounts/password_reset/done/"


def test_asking_again_before_the_worker_comes_is_asking_once(client):
    for email in (ADA, "Ada@Example.com", ADA):
        ask(client, email)

    assert waiting("send_password_reset") == 1


def test_an_address_is_written_to_once_in_ten_minutes(mailoutbox):
    accounts(1)
    resets.send_password_reset(ADA)
    resets.send_password_reset("ADA@example.com")
    assert len(mailoutbox) == 1

    LinksEmail.objects.update(sent_at=timezone.now() - timedelta(minutes=11))
    resets.send_password_reset(ADA)
    assert len(mailoutbox) == 2


def test_who_was_just_sent_her_links_may_have_forgotten_her_password_too(mailoutbox):
    accounts(1)
    factories.paid_order()
    emails.send_links(ADA)
    resets.send_password_reset(ADA)
    assert mailoutbox[-1].subject == "A new password for Shopbell"


def test_who_signs_up_with_a_strangers_address_sends_her_no_flood_and_does_not_take_her_place(
    client, mailoutbox, settings
):
    mine, *_others = accounts(60)
    resets.send_password_reset(ADA)

    assert len(mailoutbox) == resets.MOST_ACCOUNTS
    [link] = [line for line in mailoutbox[0].body.splitlines() if "/accounts/reset/" in line]
    page = client.get(link.removeprefix(settings.PUBLIC_URL), follow=True)
    assert mine.username in page.text


def test_an_accounts_name_which_may_be_a_link_does_not_stand_in_the_letter(mailoutbox):
    factories.user(username="win@prize.example", email=ADA)
    resets.send_password_reset(ADA)

    assert "prize" not in mailoutbox[0].body


def test_an_account_that_is_closed_gets_no_link(mailoutbox):
    factories.user(email=ADA, is_active=False)
    resets.send_password_reset(ADA)

    assert mailoutbox == []


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_away_is_asked_again(client, settings, mailoutbox, caplog):
    accounts(1)
    here, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "tests.test_password_resets.Away"
    ask(client)
    work()
    assert waiting("send_password_reset") == 1
    assert ADA not in caplog.text

    settings.EMAIL_BACKEND = here
    work()
    assert len(mailoutbox) == 1
