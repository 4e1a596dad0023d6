"""Django's report of an error, for whoever develops: as discreet as the log.

Django hides secrets in it only where DEBUG is off, and only by the names of settings. But a page of errors is
copied into chats, and DEBUG has been left on in production before.
"""

import re
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from project.discreet import discreet


class Filter(SafeExceptionReporterFilter):
    """Nobody's cookies, and nothing that was typed."""

    hidden_settings = re.compile(
        "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE|TICKET|LOCATION|ADDRESS|EMAIL|CREDENTIALS|PAYLOAD|BODY",
        flags=re.IGNORECASE,
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        return dict.fromkeys(getattr(request, "COOKIES", ()), self.cleansed_substitute)

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return dict.fromkeys(request.POST if request else (), self.cleansed_substitute)

    def get_traceback_frame_variables(self, request: HttpRequest, tb_frame: FrameType) -> ItemsView[str, Any]:
        variables = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self.cleanse_setting(name, value) for name, value in variables}.items()


class Reporter(ExceptionReporter):
    def get_traceback_html(self) -> SafeString:
        return SafeString(discreet(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(discreet(super().get_traceback_text()))
