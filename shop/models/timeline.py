from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Source(models.TextChoices):
    """Where we learned of a change."""

    SHOPPER = "shopper", "Shopper"
    WEBHOOK = "webhook", "Stripe's webhook"
    RETURN_PAGE = "return_page", "Return from Stripe"
    RECONCILER = "reconciler", "Reconciler"
    STAFF = "staff", "Staff"
    REPLAY = "replay", "Replay"


class OrderChange(models.Model):
    """One line of an order's timeline: what went from what to what, at which version, and why."""

    class What(models.TextChoices):
        PLACED = "placed"
        PAYMENT = "payment_status"
        ATTENTION = "needs_attention"
        OWNER = "owner"

    order = models.ForeignKey("shop.Order", models.CASCADE, related_name="changes")
    version = models.PositiveIntegerField()
    what = models.CharField(max_length=30, choices=What)
    before = models.CharField(max_length=200, blank=True)
    after = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=20, choices=Source)
    who = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["version"]
        constraints = [
            models.UniqueConstraint(fields=["order", "version"], name="one_change_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.what}: {self.before or '∅'} → {self.after} ({self.source})"
