from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from shop.migrations._concurrently import BuildIndex

NEWEST_FIRST = (Coalesce("paid_at", "placed_at").desc(), F("id").desc())


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("shop", "0006_last_received_at"),
    ]

    operations = [
        BuildIndex("order", models.Index(*NEWEST_FIRST, name="orders_newest_first")),
        BuildIndex("order", models.Index("payment_status", *NEWEST_FIRST, name="orders_by_payment")),
        BuildIndex(
            "order",
            models.Index(
                "paid_at",
                condition=Q(paid_at__isnull=False),
                include=("currency", "amount_total"),
                name="orders_paid",
            ),
        ),
        BuildIndex(
            "order",
            models.Index(*NEWEST_FIRST, condition=~Q(needs_attention=""), name="orders_to_look_at"),
        ),
        BuildIndex("order", models.Index(*NEWEST_FIRST, condition=Q(disputed=True), name="orders_disputed")),
        BuildIndex(
            "order",
            models.Index(*NEWEST_FIRST, condition=Q(refunded_amount__gt=0), name="orders_refunded"),
        ),
        BuildIndex("refund", models.Index(fields=["created_at"], name="refunds_by_time")),
        BuildIndex("stripeevent", models.Index(fields=["-last_received_at"], name="events_last_delivered")),
        BuildIndex(
            "stripeevent",
            models.Index(
                fields=["received_at"],
                condition=Q(outcome__in=["failed", "unmatched"]),
                name="events_waiting",
            ),
        ),
        BuildIndex(
            "orderchange",
            models.Index(
                fields=["at"],
                condition=Q(what="payment_status", source__in=["return_page", "reconciler"]),
                name="changes_no_webhook_told",
            ),
        ),
    ]
