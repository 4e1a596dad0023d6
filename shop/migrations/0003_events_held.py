from django.db import migrations, models
from django.db.models import Q

from shop.migrations._concurrently import BuildIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("shop", "0002_life_of_an_order"),
    ]

    operations = [
        BuildIndex(
            model_name="stripeevent",
            index=models.Index(fields=["-received_at"], condition=Q(outcome="held"), name="events_held"),
        ),
    ]
