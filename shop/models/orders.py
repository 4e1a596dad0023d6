"""An order and the verbs of its life. A verb is the only writer of its fields.

Each verb locks the order's row, then product rows in primary key order; makes an allowed move or none;
raises the version by one with one OrderChange; announces order_changed after the commit; and returns
whether anything changed. Late and repeated news are boring: False.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from shop.models.lines import OrderLine
from shop.models.moves import HOLDING, PaymentStatus, allowed
from shop.models.order_queries import OrderQuerySet
from shop.models.products import Product
from shop.models.timeline import OrderChange, Source
from shop.shoppers import Shopper
from shop.signals import announce, order_changed

# Stripe wants at least 30 minutes, counted by its own clock at the moment it is asked.
CHECKOUT_LASTS = timedelta(minutes=31)


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
    payment_status = models.CharField(
        max_length=20, choices=PaymentStatus, default=PaymentStatus.PENDING, db_index=True
    )
    needs_attention = models.CharField(max_length=200, blank=True, help_text="Why staff must look at it")
    stripe_session_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001  unique when there
    payment_intent_id = models.CharField(max_length=255, blank=True)
    checkout_attempt = models.PositiveSmallIntegerField(default=1)
    checkout_expires_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    placed_at = models.DateTimeField(db_default=Now())
    paid_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now(), db_index=True)

    objects = OrderQuerySet.as_manager()
    is_locked = False

    class Meta:
        ordering = ["-placed_at", "-pk"]
        indexes = [
            models.Index(fields=["user", "-placed_at"], name="orders_of_user"),
            models.Index(fields=["guest_id", "-placed_at"], name="orders_of_guest"),
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

    # --- verbs ------------------------------------------------------------------------------------

    @classmethod
    def place(cls, shopper: Shopper, cart: str, products: Iterable[tuple[Product, int]]) -> "Order":
        """Hold the stock and freeze names and prices. Raises SoldOut, and IntegrityError for a twin."""
        lines = list(products)
        with transaction.atomic():
            Product.objects.hold({product.pk: quantity for product, quantity in lines})
            order = cls.objects.create(
                user_id=shopper.user_id,
                guest_id=shopper.guest_id,
                cart=cart,
                currency=lines[0][0].currency,
                amount_total=sum(product.unit_amount * quantity for product, quantity in lines),
                checkout_expires_at=timezone.now() + CHECKOUT_LASTS,
            )
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
            if not self._move(PaymentStatus.PAID, source, **paid):
                return False
            if not Product.objects.take(self.pk, held=held):
                self._flag("Paid when some of its units were no longer in stock.", source)
            return True

    def expire(self, *, source: Source) -> bool:
        """The Checkout Session can no longer be paid. Frees the stock."""
        with self.locked():
            held = self.payment_status in HOLDING
            if not self._move(PaymentStatus.EXPIRED, source):
                return False
            if held:
                Product.objects.release(self.pk)
            return True

    def flag(self, reason: str, *, source: Source) -> bool:
        """Hold it for staff."""
        with self.locked():
            return self._flag(reason, source)

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

    # --- not news for a shopper: no version, no announcement --------------------------------------

    def attach_session(self, session_id: str) -> bool:
        """Whether this is the order's Checkout Session now: not if it has another, or is no longer open."""
        free = Order.objects.filter(pk=self.pk, stripe_session_id=None, payment_status=PaymentStatus.PENDING)
        attached = free.update(stripe_session_id=session_id)
        self.refresh_from_db()
        return bool(attached) or self.stripe_session_id == session_id

    def forget_session(self, session_id: str) -> None:
        """Stripe does not know it (any more)."""
        if Order.objects.filter(pk=self.pk, stripe_session_id=session_id).update(stripe_session_id=None):
            self.next_attempt()
        self.refresh_from_db()

    def next_attempt(self) -> None:
        """Ask Stripe afresh: under a new idempotency key, with the full time to pay. Once, if two want to."""
        current = Order.objects.filter(pk=self.pk, checkout_attempt=self.checkout_attempt)
        current.update(
            checkout_attempt=self.checkout_attempt + 1, checkout_expires_at=timezone.now() + CHECKOUT_LASTS
        )
        self.refresh_from_db()

    # --- how a verb works -------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A transaction in which this row, as read under its lock, is ours alone."""
        if self.is_locked:
            yield
            return
        with transaction.atomic(savepoint=False):
            self.refresh_from_db(from_queryset=Order.objects.select_for_update())
            yield

    def _move(self, after: PaymentStatus, source: Source, **fields: Any) -> bool:
        if not allowed(self.payment_status, after):
            return False
        before = self.payment_status
        return self._change(OrderChange.What.PAYMENT, before, after, source, payment_status=after, **fields)

    def _flag(self, reason: str, source: Source) -> bool:
        if self.needs_attention == reason:
            return False
        before = self.needs_attention
        return self._change(OrderChange.What.ATTENTION, before, reason, source, needs_attention=reason)

    def _change(self, what: OrderChange.What, before: str, after: str, source: Source, **fields: Any) -> bool:
        self.version += 1
        story = OrderChange.objects.record(self.pk, self.version, what, before, after, source, fields)
        self.updated_at, self.goods, self.timeline = story.at, story.goods, story.timeline
        for name, value in fields.items():
            setattr(self, name, story.at if isinstance(value, Now) else value)
        announce(order_changed, order_id=self.pk, order=self)
        return True
