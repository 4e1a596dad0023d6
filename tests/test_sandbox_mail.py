"""The folder that takes the e-mails of `make run`, and the lines that tell of them."""

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from environ import Env

from sandbox.mail import Mailbox, mailbox_url

LINK = "http://127.0.0.1:8000/orders/link/abc/"


@pytest.fixture
def mailbox(tmp_path, settings):
    folder = tmp_path / "mail + more"
    config = Env.email_url_config(mailbox_url(folder))
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = config["EMAIL_BACKEND"], config["EMAIL_FILE_PATH"]
    return Mailbox(folder)


def send(subject="Order 12AB34CD is paid", to="ada@example.com", body=f"See the order:\n{LINK}\n", count=1):
    letters = []
    for _ in range(count):
        letter = EmailMultiAlternatives(subject, body, to=[to])
        letter.attach_alternative(f'<a href="{LINK}">', "text/html")
        letters.append(letter)
    mail.get_connection().send_messages(letters)


def test_each_email_is_told_of_once_with_its_link_and_its_file(mailbox):
    assert list(mailbox.news()) == []
    send()

    [line] = mailbox.news()
    [file] = mailbox.path.iterdir()
    assert line == f"Mail to ada@example.com: Order 12AB34CD is paid · {LINK} · {file}"
    assert list(mailbox.news()) == []


def test_many_in_one_file_are_told_of_one_by_one(mailbox):
    send(count=3)

    assert len(list(mailbox.news())) == 3


def test_what_is_still_being_written_is_told_of_when_it_is_whole(mailbox):
    send()
    [file] = mailbox.path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-30])
    assert list(mailbox.news()) == []

    file.write_bytes(whole)
    assert len(list(mailbox.news())) == 1


def test_those_of_an_earlier_run_are_not_told_of_again(mailbox):
    send()

    assert list(Mailbox(mailbox.path).news()) == []


def test_nothing_in_an_email_steers_the_terminal(mailbox):
    send(subject="Zahlung für 🔔 \x1b[2Jeingegangen", body="no link\x07 here")

    [line] = mailbox.news()
    assert line.isprintable()
    assert "Zahlung für 🔔" in line


def test_the_folder_is_for_its_owner_only(mailbox):
    assert mailbox.path.stat().st_mode & 0o777 == 0o700
