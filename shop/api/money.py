"""Amounts as people read them, in the language that the caller asks for."""

from operator import attrgetter
from typing import Any

from babel import Locale, UnknownLocaleError
from django.conf import settings
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.utils.translation import get_language, to_locale
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.cache import never_cache
from django.views.decorators.vary import vary_on_headers
from rest_framework import serializers
from rest_framework.request import Request

from shop.money import formatted

live = method_decorator([never_cache, vary_on_headers("Accept-Language")], name="dispatch")
"""For views that tell prices and states: true now, and in the caller's language."""


class FormattedField(serializers.CharField):
    """Another field's amount, "€12.50" or "12,50 €"; `currency` is where its currency stands."""

    def __init__(self, amount: str, *, currency: str = "currency", **kwargs: Any) -> None:
        super().__init__(source="*", read_only=True, **kwargs)
        self.amount, self.currency = attrgetter(amount), attrgetter(currency)

    def to_representation(self, instance: Any) -> str:
        locale = locale_of(self.context["request"])
        return formatted(self.amount(instance), self.currency(instance), locale)


def locale_of(request: Request | HttpRequest) -> str:
    """The first locale of Accept-Language that Babel knows, "de_AT" for example; else the shop's own."""
    for language, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        for name in (language, language.partition("-")[0]):
            try:
                return str(Locale.parse(name, sep="-"))
            except (UnknownLocaleError, ValueError):
                continue
    return to_locale(get_language() or settings.LANGUAGE_CODE)
