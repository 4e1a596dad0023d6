"""Products and their stock: `stock` is in the house, `held` is the part of it promised to open orders."""

from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from shop.money import check_currency, check_price
from shop.signals import announce, stock_changed

# One statement for all lines of an order, because a payment waits for it. It locks in primary key order;
# PostgreSQL reads a row that has changed meanwhile again before it writes it.
_SETTLE = """
WITH line AS (
    SELECT product.id, line.quantity
    FROM shop_orderline line JOIN shop_product product ON product.id = line.product_id
    WHERE line.order_id = %(order)s
    ORDER BY product.id FOR UPDATE OF product
)
UPDATE shop_product
SET stock = stock - %(taken)s * line.quantity,
    held = held - %(freed)s * line.quantity,
    version = version + 1,
    updated_at = statement_timestamp()
FROM line
WHERE shop_product.id = line.id
    AND (stock IS NULL OR stock - %(taken)s * line.quantity >= held - %(freed)s * line.quantity)
RETURNING shop_product.id, (SELECT count(*) FROM line)
"""

_LOCK = """
SELECT FROM shop_product
WHERE id IN (SELECT product_id FROM shop_orderline WHERE order_id = %s) ORDER BY id FOR UPDATE
"""

Quantities = Mapping[int, int]
"""Product primary key → units, 1 to 99."""


def shop_currency() -> str:
    """What new products are priced in; a function, so that no other currency is a migration."""
    currency: str = settings.CURRENCY
    return currency


class SoldOut(Exception):
    """Fewer units are free than were asked for; `product` says which and, as of now, how many."""

    def __init__(self, product: "Product") -> None:
        super().__init__(f"{product.slug}: {product.available} left")
        self.product = product


class ProductQuerySet(models.QuerySet["Product"]):
    """Stock verbs. Each takes its rows in primary key order, so that no two can wait for each other.

    They belong into the transaction of the order that they serve, and announce stock_changed.
    """

    def on_sale(self) -> "ProductQuerySet":
        return self.filter(active=True)

    def hold(self, quantities: Quantities) -> None:
        """Promise units to an order. Raises SoldOut (roll back, then: what was held before it is held)."""
        for pk, quantity in sorted(quantities.items()):
            free = Q(stock=None) | Q(stock__gte=F("held") + quantity)
            if not self.filter(free, pk=pk, active=True)._change(held=F("held") + quantity):
                raise SoldOut(self.get(pk=pk))
        announce(stock_changed, product_ids=list(quantities))

    def release(self, order_pk: int) -> None:
        """Free what is held for an order."""
        self._settle(order_pk, taken=0, freed=1)

    def take(self, order_pk: int, *, held: bool) -> set[int] | None:
        """Hand an order's units over, from its hold if it has one.

        Returns None if all were there, else the primary keys of the products that were. What is missing is
        taken from nobody: other orders keep their holds, and staff decide.
        """
        return self._settle(order_pk, taken=1, freed=int(held))

    def put_back(self, quantities: Quantities) -> None:
        """Units that had left with an order are in the house again."""
        for pk, quantity in sorted(quantities.items()):
            self.filter(pk=pk)._change(stock=F("stock") + quantity)  # without limit plus some: without limit
        announce(stock_changed, product_ids=list(quantities))

    def _settle(self, order_pk: int, *, taken: int, freed: int) -> set[int] | None:
        with connection.cursor() as cursor:
            if not freed:  # what others free at this moment counts, too: wait for it before looking
                cursor.execute(_LOCK, [order_pk])
            cursor.execute(_SETTLE, {"order": order_pk, "taken": taken, "freed": freed})
            settled = cursor.fetchall()
        announce(stock_changed, product_ids=[pk for pk, _lines in settled])
        complete = bool(settled) and len(settled) == settled[0][1]
        return None if complete else {pk for pk, _lines in settled}

    def _change(self, **fields: object) -> int:
        return self.update(**fields, version=F("version") + 1, updated_at=Now())


class Product(models.Model):
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=500)
    description = models.TextField(blank=True)
    picture = models.CharField(
        max_length=200, blank=True, help_text="Path below static/, for example pictures/bell.svg"
    )
    unit_amount = models.IntegerField(
        validators=[MinValueValidator(1)],
        help_text="Price of one in Stripe's minor units: 1250 is €12.50, ¥1,250 or KWD 1.250",
    )
    currency = models.CharField(max_length=3, default=shop_currency, validators=[check_currency])
    stock = models.IntegerField(null=True, blank=True, help_text="Units in the house; empty means unlimited")
    held = models.IntegerField(default=0, editable=False)
    active = models.BooleanField(default=True, help_text="Whether it is on sale")
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False, db_index=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(unit_amount__gt=0), name="product_has_a_price"),
            models.CheckConstraint(condition=Q(held__gte=0), name="product_held_not_negative"),
            models.CheckConstraint(
                condition=Q(stock=None) | Q(stock__gte=F("held")),
                name="product_held_within_stock",
                violation_error_message="Open orders hold more than that: the stock must cover them.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raises ValidationError for a price that Stripe would refuse."""
        if self.unit_amount is None:  # its field has said so
            return
        try:
            check_price(self.unit_amount, self.currency)
        except ValidationError as error:
            raise ValidationError({"unit_amount": error.messages}) from None

    @property
    def available(self) -> int | None:
        """Units that can be bought now; None means without limit."""
        if not self.active:
            return 0
        return None if self.stock is None else self.stock - self.held

    def revise(self, **fields: object) -> None:
        """Staff's changes: write just these fields, so that what orders did meanwhile to the stock stands.

        Announces stock_changed. Raises IntegrityError when the stock would not cover the holds.
        """
        with transaction.atomic():
            Product.objects.filter(pk=self.pk)._change(**fields)
            announce(stock_changed, product_ids=[self.pk])
        self.refresh_from_db()
