"""What is on sale."""

from django.conf import settings
from django.templatetags.static import static
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, permissions, serializers

from shop.api.money import FormattedField, live
from shop.models import Product


class ProductSerializer(serializers.ModelSerializer[Product]):
    picture = serializers.SerializerMethodField(help_text="Absolute address")
    unit_amount_formatted = FormattedField("unit_amount", help_text="By the locale of Accept-Language")
    available = serializers.IntegerField(
        allow_null=True, read_only=True, help_text="Units that can be bought now; null means without limit"
    )

    class Meta:
        model = Product
        fields = [
            "slug",
            "name",
            "description",
            "picture",
            "unit_amount",
            "currency",
            "unit_amount_formatted",
            "available",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.URI)
    def get_picture(self, product: Product) -> str:
        return f"{settings.PUBLIC_URL}{static(product.picture or 'pictures/shopbell.svg')}"


@live
class Products(generics.ListAPIView[Product]):
    """Everything that is on sale, with what is left of it now."""

    permission_classes = (permissions.AllowAny,)
    queryset = Product.objects.on_sale()
    serializer_class = ProductSerializer


@live
class ProductDetail(generics.RetrieveAPIView[Product]):
    """One product that is on sale."""

    permission_classes = (permissions.AllowAny,)
    queryset = Product.objects.on_sale()
    serializer_class = ProductSerializer
    lookup_field = "slug"
