import json
from typing import Any

from django.db import migrations, models

from shop.stripe_json import id_of


def name_the_payments(apps: Any, schema_editor: Any) -> None:
    """Of the few events that are held for staff: it will outlive what Stripe signed."""
    events = apps.get_model("shop", "StripeEvent").objects.filter(outcome="held")
    for pk, payload in events.values_list("pk", "payload"):
        payment = id_of(json.loads(payload)["data"]["object"].get("payment_intent"))
        events.filter(pk=pk).update(payment_intent_id=payment[:255])


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0011_allowance"),
    ]

    operations = [
        migrations.AddField(
            model_name="stripeevent",
            name="purged_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="stripeevent",
            name="payment_intent_id",
            field=models.CharField(
                blank=True, db_default="", help_text="Of a payment that is held for staff", max_length=255
            ),
        ),
        migrations.AlterField(
            model_name="stripeevent",
            name="payload",
            field=models.TextField(help_text="The body as Stripe signed it; empty once it is purged"),
        ),
        migrations.RunPython(name_the_payments, migrations.RunPython.noop),
    ]
