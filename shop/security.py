"""What somebody who looks into an attack, or a theft from inside, will want to read in the log.

One line each, logger `shop.security`, with who (the account's number) and why; never a password, a ticket, an
e-mail address; a network's address only when it is locked out (shop/logins.py). What somebody typed as a name
may have been her password: of that the log has a keyed digest, the same for the same name.
"""

import logging
from typing import TYPE_CHECKING, Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.utils.crypto import salted_hmac

from shop import tracing

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)


def note(what: str, **known: object) -> None:
    """A line of its own: `note("Payload viewed", event=…)`."""
    with tracing.about(**known):
        log.info(what)


def refuse(what: str, **known: object) -> None:
    """The same for what was not allowed."""
    with tracing.about(**known):
        log.warning(what)


def account(name: str) -> str:
    """Stands for what was typed as a user's name."""
    return salted_hmac("shop.security.account", name.casefold(), algorithm="sha256").hexdigest()[:12]


@receiver(user_logged_in)
def _logged_in(sender: object, user: "User", **kwargs: Any) -> None:
    tracing.bind(user=user.pk)
    note("Logged in", account=account(user.get_username()))


@receiver(user_logged_out)
def _logged_out(sender: object, user: "User | None", **kwargs: Any) -> None:
    if user:
        note("Logged out", user=user.pk)


@receiver(user_login_failed)
def _not_logged_in(sender: object, credentials: dict[str, Any], **kwargs: Any) -> None:
    refuse("Log-in failed", account=account(str(credentials.get("username", ""))))
