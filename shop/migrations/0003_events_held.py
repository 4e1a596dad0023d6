from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0002_life_of_an_order"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="stripeevent",
            index=models.Index(fields=["-received_at"], condition=Q(outcome="held"), name="events_held"),
        ),
    ]
