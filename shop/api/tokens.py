"""Tokens for callers without a browser."""

from drf_spectacular.utils import extend_schema
from rest_framework import permissions, status
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.api.authentication import token_for
from shop.logins import locked_out


class TokenView(APIView):
    throttle_scope = "token"

    def get_permissions(self) -> list[permissions.BasePermission]:
        return [permissions.AllowAny() if self.request.method == "POST" else permissions.IsAuthenticated()]

    @extend_schema(request=AuthTokenSerializer, responses=AuthTokenSerializer)
    def post(self, request: Request) -> Response:
        """Get the account's token.

        An account has one, for all its callers, until it is revoked or the password changes.
        """
        credentials = AuthTokenSerializer(data=request.data, context={"request": request})
        if not credentials.is_valid() and (lock := locked_out(request)):
            raise lock
        credentials.is_valid(raise_exception=True)
        row, _created = Token.objects.get_or_create(user=credentials.validated_data["user"])
        return Response({"token": token_for(row)})

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Revoke the account's token, for all its callers."""
        Token.objects.filter(user=request.user.pk).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
