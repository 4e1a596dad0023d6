"""Buying: the same cart form, the same order and the same payment page as in the shop."""

from collections.abc import Mapping
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS
from django.urls import reverse
from django.utils.translation import get_language_from_request
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import permissions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.api.authentication import caller
from shop.api.money import live
from shop.api.orders import OrderSerializer
from shop.api.problems import MEDIA_TYPE, SoldOutProblem, StripeProblem
from shop.api.schema import SoldOutProblemSerializer, StripeProblemSerializer
from shop.buying import order_and_page
from shop.checkout import StripeUnavailable
from shop.forms import MOST, PREFIX, CartForm, field_name
from shop.limits import count_checkout
from shop.models import Order, Product, SoldOut

Item = Mapping[str, Any]
EXAMPLE = {"items": [{"product": "counter-bell", "quantity": 2}]}


@extend_schema_field({"type": "integer", "minimum": 0, "maximum": MOST})
class QuantityField(serializers.Field[Any, Any, Any, Any]):
    """A JSON integer, for the cart's form to judge; anything else is no quantity to it either."""

    def to_internal_value(self, data: Any) -> str:
        return str(data) if type(data) is int else ""


class ItemSerializer(serializers.Serializer[Any]):
    product = serializers.SlugField(help_text="Slug of a product that is on sale")
    quantity = QuantityField(help_text="0 is as good as leaving it out")


class CheckoutSerializer(serializers.Serializer[Any]):
    items: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=ItemSerializer(),
        max_length=settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,  # as many as a form may have fields
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Leaves the checked CartForm under `form`."""
        items: list[Item] = attrs["items"]
        quantities = {f"{PREFIX}{item['product']}": item["quantity"] for item in items}
        form = CartForm(quantities, Product.objects.on_sale())
        is_valid = form.is_valid()
        problems = [_problem(form, item, items[:index]) for index, item in enumerate(items)]
        if any(problems):
            raise serializers.ValidationError({"items": problems})
        if not is_valid:
            raise serializers.ValidationError(_said(form, NON_FIELD_ERRORS))
        return {"form": form}


def _problem(form: CartForm, item: Item, before: list[Item]) -> dict[str, list[str]]:
    name = f"{PREFIX}{item['product']}"
    if name in form.unknown:
        return {"product": ["Not, or no longer, on sale."]}
    if any(item["product"] == other["product"] for other in before):
        return {"product": ["Listed twice: one item for each product."]}
    return {"quantity": _said(form, name)} if name in form.errors else {}


def _said(form: CartForm, name: str) -> list[str]:
    return [str(said) for said in form.errors[name]]


class BoughtSerializer(serializers.Serializer[Any]):
    order = OrderSerializer()
    checkout_url = serializers.URLField(allow_null=True, help_text="Stripe's page for it; null if it is paid")


@live
class Checkout(APIView):
    permission_classes = (permissions.AllowAny,)

    @extend_schema(
        request=CheckoutSerializer,
        examples=[OpenApiExample("Two bells", EXAMPLE, request_only=True)],
        responses={
            201: BoughtSerializer,
            200: OpenApiResponse(BoughtSerializer, "It is paid already."),
            (409, MEDIA_TYPE): OpenApiResponse(SoldOutProblemSerializer, "Fewer are left than that."),
            (503, MEDIA_TYPE): OpenApiResponse(StripeProblemSerializer, "Stripe is away; the order is kept."),
        },
    )
    def post(self, request: Request) -> Response:
        """Order these things, and get the page to pay them on.

        Prices come from the shop. The same cart again, by the same caller and not yet paid, is the same order
        with the same payment page, so repeating a request that went wrong is safe.
        """
        data = CheckoutSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        order, page = _buy(request, data.validated_data["form"])
        shown = Order.objects.prefetch_related("lines__product").get(pk=order.pk)
        answer = {"order": OrderSerializer(shown, context={"request": request}).data, "checkout_url": page}
        return Response(
            answer,
            status=status.HTTP_201_CREATED if page else status.HTTP_200_OK,
            headers={"Location": reverse("api:order", args=[order.public_id])},
        )


def _buy(request: Request, form: CartForm) -> tuple[Order, str | None]:
    shopper, language = caller(request), get_language_from_request(request)
    count_checkout(request._request, shopper)
    # On this request's own thread, which would wait as well if the view were async (docs/adr/0008).
    try:
        return async_to_sync(order_and_page)(shopper, form.cart, settings.PUBLIC_URL, language=language)
    except SoldOut as sold_out:
        form.add_sold_out(sold_out.product)
        said = _said(form, field_name(sold_out.product))
        raise SoldOutProblem(sold_out.product, said[0]) from sold_out
    except StripeUnavailable as unavailable:
        raise StripeProblem(unavailable.order) from unavailable
