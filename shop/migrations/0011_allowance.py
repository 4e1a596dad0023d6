from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0010_checkouts_last_delivered"),
    ]

    operations = [
        migrations.CreateModel(
            name="Allowance",
            fields=[
                ("key", models.CharField(max_length=100, primary_key=True, serialize=False)),
                (
                    "full_at",
                    models.DateTimeField(help_text="When everything that was taken will have grown again"),
                ),
            ],
        ),
    ]
