"""What the code cannot say of itself in the OpenAPI description: cookies, and how things go wrong."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from shop.api.problems import MEDIA_TYPE
from shop.shoppers import GUEST_COOKIE


class ProblemSerializer(serializers.Serializer[Any]):
    """What went wrong (RFC 9457). Instead of `detail`, invalid input is told by a list of messages under each
    field's name, or under `non_field_errors`.
    """

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(required=False)


class SoldOutProblemSerializer(ProblemSerializer):
    product = serializers.SlugField()
    available = serializers.IntegerField(help_text="Units that can be bought now")


class StripeProblemSerializer(ProblemSerializer):
    order = serializers.UUIDField(help_text="The `public_id` of the order that is kept")


class Schema(AutoSchema):
    """Adds to each operation how any of its kind may end."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        problem = self.resolve_serializer(ProblemSerializer, "response").ref
        for code in self._problems():
            told = {"description": code.phrase, "content": {MEDIA_TYPE: {"schema": problem}}}
            operation["responses"].setdefault(str(code.value), told)
        return operation

    def _problems(self) -> list[HTTPStatus]:
        codes = [HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.TOO_MANY_REQUESTS]
        if self.method != "GET":
            codes += [HTTPStatus.FORBIDDEN]
        if self.method == "POST":
            codes += [HTTPStatus.BAD_REQUEST, HTTPStatus.UNSUPPORTED_MEDIA_TYPE]
            codes += [HTTPStatus.REQUEST_ENTITY_TOO_LARGE]
        if "{" in self.path or getattr(self.view, "pagination_class", None):
            codes += [HTTPStatus.NOT_FOUND]
        return codes


class Cookies(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A user's session or a guest's cookie; a POST wants the header `X-CSRFToken`, too."""

    target_class = "shop.api.authentication.SessionAuthentication"
    name = ["session", "guest"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        cookies = (settings.SESSION_COOKIE_NAME, GUEST_COOKIE)
        return [{"type": "apiKey", "in": "cookie", "name": cookie} for cookie in cookies]
