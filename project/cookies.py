"""The cookie of Django's messages, by a name of ours: there is no setting for it."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class _Cookie(CookieStorage):
    cookie_name = settings.MESSAGES_COOKIE_NAME


class Messages(FallbackStorage):
    """Django's own: in the cookie what fits, the rest in the session."""

    storage_classes = (_Cookie, SessionStorage)
