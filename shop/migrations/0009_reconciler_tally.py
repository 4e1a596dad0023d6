from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0008_wishes_to_cancel"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReconcilerTally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rounds", models.BigIntegerField(default=0)),
                ("orders_asked", models.BigIntegerField(default=0)),
                ("orders_changed", models.BigIntegerField(default=0)),
                ("events_applied", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
                ("unanswered", models.BigIntegerField(default=0)),
                ("stopped", models.BigIntegerField(default=0, help_text="Rounds that had no time for all")),
                (
                    "ended_at",
                    models.DateTimeField(db_default=Now(), help_text="When the last round was over"),
                ),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=Q(("pk", 1)), name="one_tally")],
            },
        ),
    ]
