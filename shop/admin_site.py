"""Who gets into the admin."""

from django.contrib import admin
from django.http import HttpRequest

from shop.accounts import outlasts_staffs


class AdminSite(admin.AdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        """As everywhere, staff log in each day: who was made staff since she logged in does so first."""
        return super().has_permission(request) and not outlasts_staffs(request)
