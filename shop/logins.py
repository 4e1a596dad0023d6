"""Guessing passwords: who was wrong too often is locked out for a while, by django-axes, in PostgreSQL.

Locked is a name from one network, so that nobody can lock a stranger out from everywhere; and, after many
more wrong passwords, a network for every name. Names that no account has are locked just the same. It holds
for every door that asks `django.contrib.auth.authenticate`: the shop's, the admin's, the API's tokens.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import ceil
from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_credentials
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied
from django.db.models import Max, Sum
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.crypto import salted_hmac

from shop import security
from shop.limits import TooOften

Credentials = Mapping[str, Any] | None

BACKEND = "django.contrib.auth.backends.ModelBackend"
"""The one of AUTHENTICATION_BACKENDS that knows accounts."""


class Door(AxesStandaloneBackend):
    """Asks whether who guesses is locked out before it looks at the password, as axes' own does, and again
    after that. Of many guesses at one moment all are looked at, because none has failed yet; once enough of
    them are counted, the right one is too late.
    """

    def authenticate(
        self,
        request: HttpRequest,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User:
        """Raises PermissionDenied for all others: no other backend is to look at the password again."""
        super().authenticate(request, username, password, **kwargs)
        user = ModelBackend().authenticate(request, username, password, **kwargs)
        credentials = get_credentials(username=username, password=password, **kwargs)
        # Asked whatever the password was, and who is too late is counted and answered as for a wrong one: so
        # neither the answer nor the time that it takes tells that it was right.
        if not AxesProxyHandler.is_allowed(request, credentials) or user is None:
            raise PermissionDenied
        return user


@receiver(user_logged_in)
def name_djangos_own(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """In the session, which then is good beside and after processes that do not know the Door."""
    request.session[BACKEND_SESSION_KEY] = BACKEND


class Guesses(AxesDatabaseHandler):
    """Axes' own, with a limit for the network that is not the name's. Wants AXES_LOCKOUT_PARAMETERS to be the
    name from a network, and the network.
    """

    def get_failures(self, request: HttpRequest, credentials: Credentials = None) -> int:
        """As they count against AXES_FAILURE_LIMIT."""
        return int(max(share for share, _ in self._used(request, credentials)) * settings.AXES_FAILURE_LIMIT)

    def locked_until(self, request: HttpRequest, credentials: Credentials) -> datetime:
        """During a lock nothing is counted, so it ends this long after the last failure before it."""
        newest = [last for share, last in self._used(request, credentials) if share >= 1 and last]
        return max(newest, default=timezone.now()) + settings.AXES_COOLOFF_TIME

    def user_login_failed(
        self, sender: object, credentials: Mapping[str, Any], request: Any = None, **kwargs: Any
    ) -> None:
        if request is not None:
            request.axes_user_agent = request.axes_http_accept = ""  # a new browser is no new row
        super().user_login_failed(sender, credentials, request, **kwargs)

    def reset_user_attempts(self, request: HttpRequest, credentials: Credentials = None) -> int:
        """After the right password, and for this name only: axes' own forgets all that came from the network,
        so that an account of one's own would give new guesses at other people's.
        """
        of_name, _of_network = self.filter_user_attempts(request, credentials)
        count, _ = of_name.delete()
        return int(count)

    def _used(
        self, request: HttpRequest, credentials: Credentials
    ) -> Iterator[tuple[float, datetime | None]]:
        """How much of its limit has been used, for the name from this network and for the network; and when
        last. 1 is locked.
        """
        limits = (settings.AXES_FAILURE_LIMIT, settings.LOGIN_NETWORK_FAILURES)
        for attempts, limit in zip(self.get_user_attempts(request, credentials), limits, strict=True):
            known = attempts.aggregate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
            yield (known["failures"] or 0) / limit, known["last"]


@receiver(pre_save, sender=AccessAttempt)
def keep_no_form(sender: object, instance: AccessAttempt, **kwargs: Any) -> None:
    """Axes keeps what was sent, masking the fields that it knows; a password may stand in any."""
    instance.get_data = instance.post_data = ""


@receiver(user_locked_out)
def note_lock(sender: object, request: Any, ip_address: str, **kwargs: Any) -> None:
    security.refuse(
        "Log-in locked", account=security.account(_name_in(request.axes_credentials)), network=ip_address
    )


def hash_of_name(request: HttpRequest, credentials: Credentials) -> str:
    """What axes keeps for a name, which may be anything, and now and then is a password."""
    name = _name_in(credentials or request.POST)
    return salted_hmac("shop.logins", name, algorithm="sha256").hexdigest()


def _name_in(credentials: Mapping[str, Any]) -> str:
    return str(credentials.get("username") or "")


def locked_out(request: Any) -> TooOften | None:
    """Whether a password was not even looked at, or was one too many; and for how long none will be."""
    if not getattr(request, "axes_locked_out", False):
        return None
    until = AxesProxyHandler.get_implementation().locked_until(request, request.axes_credentials)
    return TooOften(max(ceil((until - timezone.now()).total_seconds()), 1))


def locked_page(request: HttpRequest, *_args: object) -> HttpResponse:
    """Instead of what the form would have said, wherever it stands; the same for the right password."""
    lock = locked_out(request) or TooOften(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    response = render(request, "registration/locked.html", {"minutes": lock.minutes}, status=429)
    response["Retry-After"] = str(lock.wait)
    add_never_cache_headers(response)
    return response
