"""Every address of the shop."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from project.health import healthz, readyz
from project.metrics import metrics

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    # The shop's own, which is limited, instead of the admin's.
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/", admin.site.urls),
    path("", include("shop.urls")),
]
