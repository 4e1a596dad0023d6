import json
from typing import Any

from django.db import migrations

from shop.stripe_json import id_of


def name_the_payments(apps: Any, schema_editor: Any) -> None:
    """Of the few events that are held for staff: it will outlive what Stripe signed. May be repeated."""
    events = apps.get_model("shop", "StripeEvent").objects
    unnamed = events.filter(outcome="held", payment_intent_id="", purged_at=None)
    for pk, payload in unnamed.values_list("pk", "payload"):
        payment = id_of(json.loads(payload)["data"]["object"].get("payment_intent"))
        events.filter(pk=pk).update(payment_intent_id=payment[:255])


class Migration(migrations.Migration):
    # One event after the other: nobody waits for all of them.
    atomic = False

    dependencies = [
        ("shop", "0013_events_to_purge"),
    ]

    operations = [
        migrations.RunPython(name_the_payments, migrations.RunPython.noop),
    ]
