"""The addresses of the shop. Fixed: shoppers, Stripe and other tools rely on them."""

from django.urls import include, path

from shop.views import accounts, checkout, links, orders, shop
from shop.webhooks import stripe_webhook

urlpatterns = [
    path("", shop.shop, name="shop"),
    path("cart/", shop.cart, name="cart"),
    path("checkout/", checkout.checkout, name="checkout"),
    path("orders/", orders.orders, name="orders"),
    path("orders/find/", links.find_orders, name="find_orders"),
    path("orders/find/sent/", links.links_sent, name="links_sent"),
    path("orders/link/<str:token>/", links.order_link, name="order_link"),
    path("orders/<uuid:public_id>/", orders.order, name="order"),
    path("orders/<uuid:public_id>/pay/", checkout.pay, name="pay"),
    path("orders/<uuid:public_id>/check/", checkout.check, name="check"),
    path("orders/<uuid:public_id>/cancel/", checkout.cancel, name="cancel"),
    path("dashboard/", include("shop.dashboard.urls")),
    path("accounts/signup/", accounts.signup, name="signup"),
    path("accounts/password_change/", accounts.PasswordChange.as_view(), name="password_change"),
    path("accounts/password_reset/", accounts.PasswordReset.as_view(), name="password_reset"),
    path("accounts/", include("django.contrib.auth.urls")),
    path("api/", include("shop.api.urls")),
    path("stripe-webhook/", stripe_webhook, name="stripe_webhook"),
]
