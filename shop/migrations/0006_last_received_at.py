from django.db import migrations


class Migration(migrations.Migration):
    """On its own: with the columns' migration it would keep everybody from the whole table until its end."""

    dependencies = [
        ("shop", "0005_emails_sent_again"),
    ]

    operations = [
        migrations.RunSQL(
            "UPDATE shop_stripeevent SET last_received_at = received_at", migrations.RunSQL.noop
        ),
    ]
