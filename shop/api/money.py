"""Amounts as people read them, in the language that the caller asks for."""

from operator import attrgetter
from typing import Any

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

MOST_LANGUAGES = 10
"""Of Accept-Language that are looked at, the favourites first."""
_REGIONAL = (
    "de-at de-be de-ch de-de de-li de-lu en-au en-ca en-gb en-ie en-in en-nz en-sg en-us en-za "
    "fr-be fr-ca fr-ch fr-fr fr-lu"
)
_LANGUAGES = [code for code, _name in settings.LANGUAGES]
# Babel keeps about half a megabyte of each locale that it was ever asked for: whoever asks does not choose.
OFFERED = {
    name: to_locale(name)
    for name in (*_LANGUAGES, *_REGIONAL.split())
    if name in _LANGUAGES or name.partition("-")[0] in _LANGUAGES
}


class FormattedField(serializers.CharField):
    """Another field's amount, "€12.50" or "12,50 €"; `currency` is where its currency stands."""

    def __init__(self, amount: str, *, currency: str = "currency", **kwargs: Any) -> None:
        super().__init__(source="*", read_only=True, **kwargs)
        self.amount, self.currency = attrgetter(amount), attrgetter(currency)

    def to_representation(self, instance: Any) -> str:
        context: Any = self.context  # of one answer, with perhaps a hundred amounts
        if "locale" not in context:
            context["locale"] = locale_of(context["request"])
        return formatted(self.amount(instance), self.currency(instance), context["locale"])


def locale_of(request: Request | HttpRequest) -> str:
    """The first locale of Accept-Language that is offered, "de_AT" for example; else the shop's own."""
    languages = parse_accept_lang_header(request.headers.get("Accept-Language", ""))
    for language, _weight in languages[:MOST_LANGUAGES]:
        for name in (language, language.partition("-")[0]):
            if name in OFFERED:
                return OFFERED[name]
    return to_locale(get_language() or settings.LANGUAGE_CODE)
