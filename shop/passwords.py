"""What whoever knows this shop would try first as somebody's password."""

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

WORDS = (
    *("shopbell", "shop", "bell", "store", "stripe", "checkout", "payment", "payments", "order", "orders"),
    *("dashboard", "admin", "administrator", "root", "staff", "manager", "viewer", "packer", "worker"),
    *("password", "passwort", "login", "welcome", "secret", "changeme", "test", "demo", "my", "the"),
)
"""Beside these the labels of the shop's own host name. docs/security.md says so to people."""


class ShopWordsValidator:
    """Refuses a password of which nothing is left but such words, digits and signs: "Shopbell-2026!"."""

    def validate(self, password: str, user: User | None = None) -> None:
        host = re.split(r"[^a-z]+", (urlsplit(settings.PUBLIC_URL).hostname or "").lower())
        words = {*WORDS, *(label for label in host if len(label) > 2)}
        letters = re.sub(r"[\W\d_]+", "", password.lower())
        any_word = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
        if letters and not re.sub(any_word, "", letters):  # in one pass, however long it is
            raise ValidationError(
                "This password is made of words that anybody would try at this shop.", code="password_of_shop"
            )

    def get_help_text(self) -> str:
        return "Your password can’t be made of this shop’s own words, such as its name."
