"""The caller's orders."""

from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, filters, generics, serializers
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from shop.api.authentication import caller
from shop.api.money import FormattedField, live
from shop.models import Order, OrderChange, OrderLine, Product, Refund
from shop.site import site_of
from shop.templatetags.orders import for_shopper, web_link


class LineSerializer(serializers.ModelSerializer[OrderLine]):
    product = serializers.SlugRelatedField[Product]("slug", read_only=True)
    amount = serializers.IntegerField(read_only=True, help_text="In minor units of the order's currency")
    amount_formatted = FormattedField("amount", currency="order.currency")

    class Meta:
        model = OrderLine
        fields = ["product", "name", "unit_amount", "quantity", "amount", "amount_formatted"]
        read_only_fields = fields


class RefundSerializer(serializers.ModelSerializer[Refund]):
    amount_formatted = FormattedField("amount", currency="order.currency")

    class Meta:
        model = Refund
        fields = ["amount", "amount_formatted", "status", "created_at"]
        read_only_fields = fields


class ChangeSerializer(serializers.ModelSerializer[OrderChange]):
    class Meta:
        model = OrderChange
        fields = ["version", "at", "what", "before", "after", "amount", "source"]
        read_only_fields = fields

    def to_representation(self, instance: OrderChange) -> dict[str, Any]:
        told = super().to_representation(instance)
        if instance.what != OrderChange.What.ATTENTION:
            return told
        held = {name: "held" if told[name] else "" for name in ("before", "after")}
        return told | held  # why it is held is between staff


class OrderSerializer(serializers.ModelSerializer[Order]):
    amount_total_formatted = FormattedField("amount_total", help_text="By the locale of Accept-Language")
    refunded_amount_formatted = FormattedField("refunded_amount")
    lines = LineSerializer(many=True, read_only=True)
    tracking_url = serializers.SerializerMethodField(help_text="Empty as long as there is none")
    number = serializers.CharField(read_only=True, help_text="What people say on the phone")

    class Meta:
        model = Order
        fields = [
            "public_id",
            "number",
            "payment_status",
            "fulfilment_status",
            "currency",
            "amount_total",
            "amount_total_formatted",
            "refunded_amount",
            "refunded_amount_formatted",
            "carrier",
            "tracking_url",
            "placed_at",
            "paid_at",
            "updated_at",
            "lines",
        ]
        read_only_fields = fields

    def get_tracking_url(self, order: Order) -> str:
        return web_link(order.tracking_url)


class OrderDetailSerializer(OrderSerializer):
    refunds = serializers.SerializerMethodField()
    timeline = serializers.SerializerMethodField()

    class Meta(OrderSerializer.Meta):
        fields = [*OrderSerializer.Meta.fields, "refunds", "timeline"]
        read_only_fields = fields

    @extend_schema_field(RefundSerializer(many=True))
    def get_refunds(self, order: Order) -> Any:
        made = [refund for refund in order.refunds.all() if refund.stripe_refund_id]  # others are wishes
        return RefundSerializer(made, many=True, context=self.context).data

    @extend_schema_field(ChangeSerializer(many=True))
    def get_timeline(self, order: Order) -> Any:
        return ChangeSerializer(list(for_shopper(order.changes.all())), many=True).data


class Own(filters.BaseFilterBackend):
    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        return queryset.of(caller(request))


class Visible(filters.BaseFilterBackend):
    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        return queryset.visible_to(caller(request))


class NewestFirst(CursorPagination):
    page_size = 20
    ordering = ("-placed_at", "-pk")

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> Any:
        page: Any = super().paginate_queryset(queryset, request, view)
        self.base_url = f"{site_of(request._request)}{request.get_full_path()}"  # not the Host of the caller
        return page

    def decode_cursor(self, request: Request) -> Cursor | None:
        """404 for a cursor that we did not make; REST framework would ask the database what it means."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not _is_time(str(cursor.position)):
            raise exceptions.NotFound(self.invalid_cursor_message)
        return cursor


def _is_time(text: str) -> bool:
    try:
        time = parse_datetime(text)
    except ValueError:
        return False
    return time is not None and time.tzinfo is not None


@live
class Orders(generics.ListAPIView[Order]):
    """All orders of the caller, newest first."""

    queryset = Order.objects.prefetch_related("lines__product")
    serializer_class = OrderSerializer
    filter_backends = (Own,)
    pagination_class = NewestFirst


@live
class OrderDetail(generics.RetrieveAPIView[Order]):
    """One order of the caller, or one whose link she has opened, with its refunds and timeline."""

    queryset = Order.objects.prefetch_related("lines__product", "refunds", "changes")
    serializer_class = OrderDetailSerializer
    filter_backends = (Visible,)
    lookup_field = "public_id"
