"""Links to a new password, for who has forgotten hers; the worker sends them (shop/tasks.py)."""

from email.utils import make_msgid
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage, get_connection
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from shop.connections import put_connection_back
from shop.emails import hash_of
from shop.models import LinksEmail
from shop.models.emails import LINKS_PAUSE

MOST_ACCOUNTS = 3
"""Of one address. The oldest: or whoever signs up with a stranger's address would take her place."""


def send_password_reset(address: str) -> None:
    """Mail to each account of this address a link to a new password, unless that was done just now.

    Written down afterwards, as shop.emails.send_links does.
    """
    accounts = sorted(PasswordResetForm().get_users(address), key=lambda account: account.pk)
    sent = _sent_to(address)
    just_now = LinksEmail.objects.filter(address_hash=sent, sent_at__gt=Now() - LINKS_PAUSE)
    if not accounts or just_now.exists():
        return
    messages = [_message(account) for account in accounts[:MOST_ACCOUNTS]]
    put_connection_back()  # a mail server may take its time
    get_connection().send_messages(messages)
    LinksEmail.objects.update_or_create(address_hash=sent, defaults={"sent_at": Now()})


def _sent_to(address: str) -> str:
    # Not the name that the links to orders have: who was sent those may forget her password as well.
    return salted_hmac("shop.resets", hash_of(address), algorithm="sha256").hexdigest()


def _message(account: User) -> EmailMessage:
    # It does not say the account's name, which may be any stranger's words, or a link: its page does.
    context = {
        "site": settings.PUBLIC_URL,
        "uid": urlsafe_base64_encode(force_bytes(account.pk)),
        "token": default_token_generator.make_token(account),
    }
    domain = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    return EmailMessage(
        render_to_string("registration/password_reset_subject.txt").strip(),
        render_to_string("registration/password_reset_email.html", context),
        to=[account.email],
        headers={"Auto-Submitted": "auto-generated", "Message-ID": make_msgid(domain=domain)},
    )
