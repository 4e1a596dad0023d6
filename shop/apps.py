from django.apps import AppConfig
from django.contrib.admin import apps


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = "Shop"

    def ready(self) -> None:
        from shop import accounts  # noqa: F401  connects: a login brings a guest's orders along


class AdminConfig(apps.AdminConfig):
    default = False  # not the one of "shop"
    default_site = "shop.admin_site.AdminSite"
