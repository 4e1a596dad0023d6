"""What an order's e-mails leave behind: that one was sent, the links in it, and who came by them."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, models
from django.db.models import Case, ExpressionWrapper, F, Q, Value, When
from django.db.models.functions import Now, Power

from shop.shoppers import Shopper

MOST_USES = 10
"""Browsers that one link may open an order in: enough for a family's devices, too few for a forum."""
GRANT_LASTS = timedelta(days=30)
"""For a browser that is not the buyer's own: a guest has no log-out, and links are forwarded."""
LINKS_PAUSE = timedelta(minutes=10)
"""Between two e-mails with links to one address."""
MOST_TRIES = 11
"""What could not be sent is tried again after 2, 4, 8, … minutes, the last time after a day and a half."""


class OrderEmailQuerySet(models.QuerySet["OrderEmail"]):
    def due(self) -> "OrderEmailQuerySet":
        """Those to be sent now, longest waiting first."""
        return self.filter(sent_at=None, due_at__lte=Now()).order_by("due_at", "pk")

    def claim(self, pk: int) -> bool:
        """Whether it is the caller's to send: nobody else gets it before it is due again.

        Two minutes are longer than a mail server may take: by then whoever claimed it has failed, or died.
        """
        gap = Value(timedelta(minutes=2)) * Power(2, F("tries"))
        later = Now() + ExpressionWrapper(gap, output_field=models.DurationField())
        again = Case(When(tries__lt=MOST_TRIES - 1, then=later), output_field=models.DateTimeField())
        return bool(self.due().filter(pk=pk).update(due_at=again, tries=F("tries") + 1))


class OrderEmail(models.Model):
    """An e-mail about an order's change: sent, or still to be sent."""

    order = models.ForeignKey("shop.Order", models.CASCADE, related_name="emails")
    kind = models.CharField(max_length=30)
    version = models.PositiveIntegerField(help_text="Of the order, by the change that it tells of")
    created_at = models.DateTimeField(db_default=Now())
    tries = models.PositiveSmallIntegerField(db_default=0)
    due_at = models.DateTimeField(db_default=Now(), null=True, help_text="Empty if it was given up")
    sent_at = models.DateTimeField(null=True)

    objects = OrderEmailQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["order", "kind", "version"], name="one_email_per_change"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(sent_at=None), name="emails_to_send"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of version {self.version}"

    def mark_sent(self) -> None:
        OrderEmail.objects.filter(pk=self.pk).update(sent_at=Now())


class LinksEmailQuerySet(models.QuerySet["LinksEmail"]):
    def claim(self, address_hash: str) -> bool:
        """Whether an address may be sent its links now; if so, it then has been."""
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM_LINKS, [address_hash, LINKS_PAUSE.total_seconds()])
            return cursor.fetchone() is not None

    def give_back(self, address_hash: str) -> None:
        """It could not be sent: the next try need not wait."""
        self.filter(address_hash=address_hash).delete()


class LinksEmail(models.Model):
    """When an address was last sent the links to its orders, whoever asked for it."""

    address_hash = models.CharField(max_length=64, primary_key=True)
    sent_at = models.DateTimeField(db_default=Now())

    objects = LinksEmailQuerySet.as_manager()

    def __str__(self) -> str:
        return self.address_hash


_CLAIM_LINKS = """
INSERT INTO shop_linksemail AS email (address_hash) VALUES (%s)
ON CONFLICT (address_hash) DO UPDATE SET sent_at = statement_timestamp()
WHERE email.sent_at < statement_timestamp() - make_interval(secs => %s)
RETURNING 1
"""


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
