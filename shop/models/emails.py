"""What an order's e-mails leave behind: those sent or to be sent, and which address was sent its links."""

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, ExpressionWrapper, F, Q, Value, When
from django.db.models.functions import Now, Power

from shop.models.moves import PaymentStatus
from shop.models.timeline import OrderChange, Source

if TYPE_CHECKING:
    from shop.models.orders import Order

CONFIRMATION = "order_confirmation"
CONFIRMATION_PAUSE = timedelta(minutes=1)
"""Between two confirmations of one order."""
LINKS_PAUSE = timedelta(minutes=10)
"""Between two e-mails with links to one address."""
MOST_EMAIL_TRIES = 11
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
        again = Case(When(tries__lt=MOST_EMAIL_TRIES - 1, then=later), output_field=models.DateTimeField())
        return bool(self.due().filter(pk=pk).update(due_at=again, tries=F("tries") + 1))

    def resend(self, order: "Order", *, who_id: int | None) -> bool:
        """Staff have the confirmation sent again, with a fresh link, to the address that the order has.

        A verb, by Order's rules. One that still waits to be sent makes way for it: the buyer gets one.
        """
        with order.locked():
            confirmations = self.filter(order=order, kind=CONFIRMATION)
            if order.payment_status != PaymentStatus.PAID or not order.email:
                return False
            if confirmations.filter(created_at__gt=Now() - CONFIRMATION_PAUSE).exists():
                return False
            confirmations.filter(sent_at=None, due_at__isnull=False).delete()
            what, source = OrderChange.What.EMAIL, Source.STAFF
            return order._change(what, "", CONFIRMATION, source, who_id=who_id, mail=CONFIRMATION)


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


class LinksEmail(models.Model):
    """When an address was last sent the links to its orders, or to a new password, whoever asked for it."""

    address_hash = models.CharField(max_length=64, primary_key=True)
    sent_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.address_hash
