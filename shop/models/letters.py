"""What an order's e-mails leave behind: that one was sent, and the link in it."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

MOST_USES = 10
"""Browsers that one link may open an order in: enough for a family's devices, too few for a forum."""


class OrderEmail(models.Model):
    """An e-mail that was sent about an order's change."""

    order = models.ForeignKey("shop.Order", models.CASCADE, related_name="emails")
    kind = models.CharField(max_length=30)
    version = models.PositiveIntegerField(help_text="Of the order, by the change that it tells of")
    sent_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["order", "kind", "version"], name="one_email_per_change"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of version {self.version}"


class OrderLink(models.Model):
    """A link that opens an order in another browser. The token itself is only in the e-mail."""

    order = models.ForeignKey("shop.Order", models.CASCADE, related_name="links")
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 in hex")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    uses = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(uses__lte=MOST_USES), name="link_not_overused"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="link_lives"),
        ]

    def __str__(self) -> str:
        return f"link of order {self.order_id}, used {self.uses} times"


class OrderGrant(models.Model):
    """Somebody who may see an order that is not theirs, because they had its link."""

    order = models.ForeignKey("shop.Order", models.CASCADE, related_name="grants")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    guest_id = models.UUIDField(null=True, blank=True, db_index=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False) ^ Q(guest_id__isnull=False), name="grant_is_for_one"
            ),
            models.UniqueConstraint(fields=["order", "user"], name="one_grant_per_user"),
            models.UniqueConstraint(fields=["order", "guest_id"], name="one_grant_per_guest"),
        ]

    def __str__(self) -> str:
        return f"order {self.order_id} for {self.user_id or self.guest_id}"
