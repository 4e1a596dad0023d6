"""The addresses of the API."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from shop.api.checkout import Checkout
from shop.api.orders import OrderDetail, Orders
from shop.api.problems import NotThere
from shop.api.products import ProductDetail, Products
from shop.api.tokens import TokenView

app_name = "api"
docs = SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="api/docs.html")

urlpatterns = [
    path("v1/products/", Products.as_view(), name="products"),
    path("v1/products/<slug:slug>/", ProductDetail.as_view(), name="product"),
    path("v1/checkout/", Checkout.as_view(), name="checkout"),
    path("v1/orders/", Orders.as_view(), name="orders"),
    path("v1/orders/<uuid:public_id>/", OrderDetail.as_view(), name="order"),
    path("v1/token/", TokenView.as_view(), name="token"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", docs, name="docs"),
    # Not for what only lacks its slash: that is Django's to redirect.
    re_path(r"^(?:[\s\S]*/)?$", NotThere.as_view()),
]
