from django.urls import path, register_converter

from shop.dashboard import recorder_views, views
from shop.dashboard.export import export
from shop.dashboard.payments import payments

register_converter(recorder_views.EventIdConverter, "event_id")

app_name = "dashboard"
urlpatterns = [
    path("", payments, name="payments"),
    path("orders/<uuid:public_id>/", views.order, name="order"),
    path("orders/<uuid:public_id>/cancel/", views.cancel, name="cancel"),
    path("orders/<uuid:public_id>/refund/", views.refund, name="refund"),
    path("orders/<uuid:public_id>/restock/", views.restock, name="restock"),
    path("orders/<uuid:public_id>/resolve/", views.resolve, name="resolve"),
    path("orders/<uuid:public_id>/prepare/", views.prepare, name="prepare"),
    path("orders/<uuid:public_id>/ship/", views.ship, name="ship"),
    path("orders/<uuid:public_id>/deliver/", views.deliver, name="deliver"),
    path("orders/<uuid:public_id>/undo/", views.undo, name="undo"),
    path("orders/<uuid:public_id>/withhold/", views.withhold, name="withhold"),
    path("orders/<uuid:public_id>/resend/", views.resend, name="resend"),
    path("export/", export, name="export"),
    path("webhooks/", recorder_views.deliveries, name="webhooks"),
    path("webhooks/<event_id:event_id>/", recorder_views.payload, name="payload"),
    path("webhooks/<event_id:event_id>/replay/", recorder_views.replay, name="replay"),
]
