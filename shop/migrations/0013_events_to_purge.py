from django.db import migrations, models
from django.db.models import Q

from shop.migrations._concurrently import BuildIndex


class Migration(migrations.Migration):
    # By itself: a build that was broken off is begun anew, and so is all that stands before it.
    atomic = False

    dependencies = [
        ("shop", "0012_purged_events"),
    ]

    operations = [
        BuildIndex(
            "stripeevent",
            models.Index(fields=["received_at"], condition=Q(purged_at__isnull=True), name="events_to_purge"),
        ),
    ]
