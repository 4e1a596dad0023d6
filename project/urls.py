"""Every address of the shop."""

from django.contrib import admin
from django.urls import include, path

from project.health import healthz, readyz
from project.metrics import metrics

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("", include("shop.urls")),
]
