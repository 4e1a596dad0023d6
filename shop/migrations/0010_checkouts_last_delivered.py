from django.db import migrations, models
from django.db.models import Q

from shop.migrations._concurrently import BuildIndex


class Migration(migrations.Migration):
    # By itself: a build that was broken off is begun anew, and so is all that stands before it.
    atomic = False

    dependencies = [
        ("shop", "0009_reconciler_tally"),
    ]

    operations = [
        BuildIndex(
            "stripeevent",
            models.Index(
                fields=["-last_received_at"],
                condition=Q(type__startswith="checkout.session.", attempts__gt=0),
                name="checkouts_last_delivered",
            ),
        ),
    ]
