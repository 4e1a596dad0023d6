from django.db import migrations, models


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
    ]
