"""The links that open an order in another browser, and who came by them."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from shop.shoppers import Shopper

MOST_USES = 10
"""Browsers that one link may open an order in: enough for a family's devices, too few for a forum."""
GRANT_LASTS = timedelta(days=30)
"""For a browser that is not the buyer's own: a guest has no log-out, and links are forwarded."""


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


class OrderGrantQuerySet(models.QuerySet["OrderGrant"]):
    def of(self, shopper: Shopper) -> "OrderGrantQuerySet":
        lasting = self.filter(created_at__gt=Now() - GRANT_LASTS)
        if shopper.user_id is not None:
            return lasting.filter(user_id=shopper.user_id)
        return lasting.filter(guest_id=shopper.guest_id, user=None)

    def over(self) -> "OrderGrantQuerySet":
        return self.filter(created_at__lte=Now() - GRANT_LASTS)

    def hand_over(self, guest_id: UUID, user_id: int) -> None:
        """What a guest may see moves to the account that the guest logged in to."""
        self.filter(guest_id=guest_id, user=None).update(user_id=user_id)


class OrderGrant(models.Model):
    """Somebody who may see an order that is not theirs, because they had its link.

    Like an order, it remembers the guest that it was of before it moved to an account.
    """

    order = models.ForeignKey("shop.Order", models.CASCADE, related_name="grants")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    guest_id = models.UUIDField(null=True, blank=True, db_index=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = OrderGrantQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(guest_id__isnull=False), name="grant_is_for_somebody"
            ),
            models.UniqueConstraint(
                fields=["order", "user"], condition=Q(guest_id=None), name="one_grant_per_user"
            ),
            models.UniqueConstraint(fields=["order", "guest_id"], name="one_grant_per_guest"),
        ]

    def __str__(self) -> str:
        return f"order {self.order_id} for {self.user_id or self.guest_id}"
