"""An order and the verbs of its life. A verb is the only writer of its fields.

Each verb locks the order's row, then product rows in primary key order; makes an allowed move or none;
raises the version by one with one OrderChange; announces order_changed after the commit; and returns
whether anything changed. Late and repeated news are boring: False.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now, Upper
from django.urls import reverse
from django.utils.functional import cached_property

from shop import tracing
from shop.jobs import hurry_emails
from shop.models.checkout import CHECKOUT_LASTS, Checkout
from shop.models.fulfilment import Fulfilment
from shop.models.lines import OrderLine
from shop.models.moves import FULFILLING, HOLDING, FulfilmentStatus, PaymentStatus, allowed
from shop.models.order_queries import CAME_IN, OrderQuerySet
from shop.models.products import Product
from shop.models.timeline import OrderChange, Source
from shop.shoppers import Shopper
from shop.signals import announce, order_changed


class Order(models.Model):
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="orders"
    )
    guest_id = models.UUIDField(null=True, blank=True, editable=False)
    email = models.EmailField(blank=True)
    currency = models.CharField(max_length=3)
    amount_total = models.BigIntegerField(help_text="In minor units")
    cart = models.CharField(max_length=64, null=True, editable=False)  # noqa: DJ001  no cart is not an empty one
    payment_status = models.CharField(max_length=20, choices=PaymentStatus, default=PaymentStatus.PENDING)
    fulfilment_status = models.CharField(
        max_length=20,
        choices=FulfilmentStatus,
        default=FulfilmentStatus.UNFULFILLED,
        db_default=FulfilmentStatus.UNFULFILLED,
    )
    carrier = models.CharField(max_length=100, blank=True, db_default="")
    tracking_url = models.URLField(max_length=500, blank=True, db_default="")
    refunded_amount = models.BigIntegerField(
        default=0, db_default=0, help_text="In minor units, what is on its way back included"
    )
    disputed = models.BooleanField(
        default=False, db_default=False, help_text="A bank takes the money back, or may"
    )
    needs_attention = models.CharField(max_length=200, blank=True, help_text="Why staff must look at it")
    stripe_session_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001  unique when there
    payment_intent_id = models.CharField(max_length=255, blank=True)
    checkout_attempt = models.PositiveSmallIntegerField(default=1)
    checkout_expires_at = models.DateTimeField()
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the reconciler last asked Stripe about it"
    )
    # Whose wish it is that the order ends, while Stripe ends its session.
    cancelling = models.CharField(max_length=20, choices=Source, blank=True, db_default="", editable=False)
    cancelling_who = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    language = models.CharField(
        max_length=10, blank=True, db_default="", help_text="Of its e-mails; empty is the shop's"
    )
    version = models.PositiveIntegerField(default=1)
    placed_at = models.DateTimeField(db_default=Now())
    paid_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now(), db_index=True)

    objects = OrderQuerySet.as_manager()
    is_locked = False

    class Meta:
        ordering = ["-placed_at", "-pk"]
        permissions = [
            ("view_payments", "Can see everybody's orders and payments on the dashboard"),
            ("refund_order", "Can refund and cancel orders"),
            ("fulfil_order", "Can prepare and send orders, and put their goods back in stock"),
            ("view_webhook_payload", "Can see what Stripe's webhooks say, without card holders' data"),
        ]
        indexes = [
            models.Index(fields=["user", "-placed_at"], name="orders_of_user"),
            models.Index(fields=["guest_id", "-placed_at"], name="orders_of_guest"),
            models.Index(Upper("email"), name="orders_of_address"),
            models.Index(CAME_IN.desc(), F("id").desc(), name="orders_newest_first"),
            models.Index("payment_status", CAME_IN.desc(), F("id").desc(), name="orders_by_payment"),
            models.Index(
                "paid_at",
                condition=Q(paid_at__isnull=False),
                include=["currency", "amount_total"],
                name="orders_paid",
            ),
            # Few of many: without them a list of these reads all orders.
            models.Index(
                CAME_IN.desc(), F("id").desc(), condition=~Q(needs_attention=""), name="orders_to_look_at"
            ),
            models.Index(CAME_IN.desc(), F("id").desc(), condition=Q(disputed=True), name="orders_disputed"),
            models.Index(
                CAME_IN.desc(), F("id").desc(), condition=Q(refunded_amount__gt=0), name="orders_refunded"
            ),
            models.Index(
                F("checked_at").asc(nulls_first=True),
                "id",
                condition=Q(payment_status__in=[PaymentStatus.PENDING, PaymentStatus.PROCESSING]),
                name="orders_open",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(guest_id__isnull=False), name="order_has_an_owner"
            ),
            models.CheckConstraint(condition=Q(amount_total__gt=0), name="order_costs_something"),
            models.CheckConstraint(
                condition=Q(payment_status__in=list(PaymentStatus)), name="order_payment_status_known"
            ),
            models.CheckConstraint(
                condition=Q(paid_at__isnull=False) | ~Q(payment_status=PaymentStatus.PAID),
                name="order_paid_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(fulfilment_status__in=list(FulfilmentStatus)),
                name="order_fulfilment_status_known",
            ),
            models.CheckConstraint(
                condition=~Q(fulfilment_status__in=sorted(FULFILLING)) | Q(payment_status=PaymentStatus.PAID),
                name="order_fulfilled_is_paid",
            ),
            models.CheckConstraint(
                condition=Q(refunded_amount=0)
                | Q(
                    refunded_amount__gt=0,
                    refunded_amount__lte=F("amount_total"),
                    payment_status=PaymentStatus.PAID,
                ),
                name="order_refunded_within_paid",
            ),
            models.UniqueConstraint(
                fields=["payment_intent_id"],
                condition=~Q(payment_intent_id=""),
                name="one_order_per_payment_intent",
            ),
            models.UniqueConstraint(
                fields=["user", "cart"],
                condition=Q(payment_status=PaymentStatus.PENDING, user__isnull=False),
                name="one_open_order_per_cart_of_user",
            ),
            models.UniqueConstraint(
                fields=["guest_id", "cart"],
                condition=Q(payment_status=PaymentStatus.PENDING, user__isnull=True),
                name="one_open_order_per_cart_of_guest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} ({self.payment_status})"

    def get_absolute_url(self) -> str:
        return reverse("order", args=[self.public_id])

    @property
    def owner(self) -> Shopper:
        return Shopper(user_id=self.user_id) if self.user_id else Shopper(guest_id=self.guest_id)

    @property
    def number(self) -> str:
        """What people say on the phone."""
        return self.public_id.hex[:8].upper()

    @cached_property
    def goods(self) -> list[OrderLine]:
        return list(self.lines.all())

    @cached_property
    def timeline(self) -> list[OrderChange]:
        return list(self.changes.all())

    @property
    def is_open(self) -> bool:
        """Whether it can still be paid."""
        return self.payment_status == PaymentStatus.PENDING

    @property
    def came_in_at(self) -> datetime:
        """When its payment came in, or until then, when it was placed: the dashboard sorts by it."""
        return self.paid_at or self.placed_at

    @property
    def refundable_amount(self) -> int:
        """What is left of what was paid, in minor units."""
        return self.amount_total - self.refunded_amount if self.payment_status == PaymentStatus.PAID else 0

    @property
    def checkout(self) -> Checkout:
        return Checkout(self)

    @property
    def fulfilment(self) -> Fulfilment:
        return Fulfilment(self)

    # --- verbs ------------------------------------------------------------------------------------

    @classmethod
    def place(
        cls, shopper: Shopper, cart: str, products: Iterable[tuple[Product, int]], language: str = ""
    ) -> "Order":
        """Hold the stock and freeze names and prices. Raises SoldOut, and IntegrityError for a twin.

        `language` is of its e-mails, as in settings.LANGUAGES.
        """
        lines = list(products)
        with transaction.atomic():
            Product.objects.hold({product.pk: quantity for product, quantity in lines})
            order = cls.objects.create(
                user_id=shopper.user_id,
                guest_id=shopper.guest_id,
                cart=cart,
                language=language,
                currency=lines[0][0].currency,
                amount_total=sum(product.unit_amount * quantity for product, quantity in lines),
                checkout_expires_at=Now() + CHECKOUT_LASTS,
            )
            # As its row has it: both were stamped by one statement, and placed_at came back with it.
            order.checkout_expires_at = order.placed_at + CHECKOUT_LASTS
            OrderLine.objects.bulk_create(
                OrderLine(
                    order=order,
                    product=product,
                    name=product.name,
                    unit_amount=product.unit_amount,
                    quantity=quantity,
                )
                for product, quantity in lines
            )
            order.changes.create(
                version=1, what=OrderChange.What.PLACED, after=PaymentStatus.PENDING, source=Source.SHOPPER
            )
            announce(order_changed, order_id=order.pk, order=order)
        return order

    def mark_processing(self, *, payment_intent_id: str, email: str, source: Source) -> bool:
        """Stripe has the shopper's word but not yet the money."""
        with self.locked():
            return self._move(
                PaymentStatus.PROCESSING, source, payment_intent_id=payment_intent_id, email=email
            )

    def mark_paid(self, *, payment_intent_id: str, email: str, source: Source) -> bool:
        """Stripe has the money. Takes the stock; what is missing is for staff to solve, never dropped."""
        with self.locked():
            held = self.payment_status in HOLDING
            paid = {"payment_intent_id": payment_intent_id, "email": email, "paid_at": Now()}
            if not self._move(PaymentStatus.PAID, source, mail="order_confirmation", **paid):
                return False
            taken = Product.objects.take(self.pk, held=held)
            if taken is not None:
                self.lines.exclude(product__in=taken).update(missing=True)
                self._flag("Paid when some of its units were no longer in stock.", source)
            return True

    def mark_failed(self, *, payment_intent_id: str, email: str, source: Source) -> bool:
        """The bank has said no, days later perhaps. Frees the stock."""
        with self.locked():
            known = {"payment_intent_id": payment_intent_id, "email": email}
            return self._end(PaymentStatus.FAILED, source, mail="payment_failed", **known)

    def expire(self, *, source: Source) -> bool:
        """The Checkout Session can no longer be paid. Frees the stock.

        If somebody had asked for just that, the order is cancelled, by whom it was.
        """
        with self.locked():
            if not self.cancelling:
                return self._end(PaymentStatus.EXPIRED, source)
            return self._end(PaymentStatus.CANCELLED, Source(self.cancelling), who_id=self.cancelling_who_id)

    def flag(self, reason: str, *, source: Source) -> bool:
        """Hold it for staff; not again for what they have looked at."""
        with self.locked():
            told = self.changes.filter(what=OrderChange.What.ATTENTION, after=reason).exists()
            return not told and self._flag(reason, source)

    def resolve(self, *, who_id: int | None, seen: str | None = None) -> bool:
        """Staff have looked at what it was held for: at `seen`, not at what has come up since."""
        with self.locked():
            if seen is not None and self.needs_attention != seen:
                return False
            return self._flag("", Source.STAFF, who_id=who_id)

    def hand_over(self, user_id: int) -> bool:
        """A guest's order moves to the account that the guest logged in to."""
        with self.locked():
            if self.user_id is not None:
                return False
            twin = Order.objects.filter(user_id=user_id).open_cart(self.cart or "")
            return self._change(
                OrderChange.What.OWNER,
                "guest",
                "account",
                Source.SHOPPER,
                user_id=user_id,
                cart=None if twin.exists() else self.cart,
            )

    # --- how a verb works -------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A transaction in which this row, as read under its lock, is ours alone."""
        if self.is_locked:
            yield
            return
        with tracing.about(order=self.public_id), transaction.atomic(savepoint=False):
            self.refresh_from_db(from_queryset=Order.objects.select_for_update())
            yield

    def _move(self, after: PaymentStatus, source: Source, **fields: Any) -> bool:
        if not allowed(PaymentStatus, self.payment_status, after):
            return False
        before = self.payment_status
        return self._change(OrderChange.What.PAYMENT, before, after, source, payment_status=after, **fields)

    def _end(self, after: PaymentStatus, source: Source, **fields: Any) -> bool:
        held = self.payment_status in HOLDING
        if not self._move(after, source, **fields):
            return False
        if held:
            Product.objects.release(self.pk)
        return True

    def _flag(self, reason: str, source: Source, *, who_id: int | None = None) -> bool:
        if self.needs_attention == reason:
            return False
        before, what = self.needs_attention, OrderChange.What.ATTENTION
        return self._change(what, before, reason, source, who_id=who_id, needs_attention=reason)

    def _change(
        self,
        what: OrderChange.What,
        before: str,
        after: str,
        source: Source,
        *,
        who_id: int | None = None,
        amount: int | None = None,
        mail: str = "",
        **fields: Any,
    ) -> bool:
        self.version += 1
        mail = mail if fields.get("email", self.email) else ""
        line = (self.pk, self.version, what, before, after, source, fields)
        story = OrderChange.objects.record(*line, who_id=who_id, amount=amount, mail=mail)
        self.updated_at, self.goods, self.timeline = story.at, story.goods, story.timeline
        for name, value in fields.items():
            setattr(self, name, story.at if isinstance(value, Now) else value)
        announce(order_changed, order_id=self.pk, order=self)
        if mail:
            transaction.on_commit(hurry_emails, robust=True)
        return True
