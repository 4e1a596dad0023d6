from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from shop.models.products import Product


class OrderLine(models.Model):
    order = models.ForeignKey("shop.Order", models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    name = models.CharField(max_length=500)
    unit_amount = models.IntegerField(help_text="In minor units of the order's currency")
    quantity = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(99)])
    missing = models.BooleanField(db_default=False, help_text="Was no longer in stock when it was paid")
    restocked = models.PositiveSmallIntegerField(db_default=0, help_text="Units that went back on the shelf")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__range=(1, 99)), name="line_quantity_1_to_99"),
            models.CheckConstraint(condition=Q(unit_amount__gt=0), name="line_has_a_price"),
            models.CheckConstraint(
                condition=Q(restocked__lte=F("quantity")), name="line_not_restocked_twice"
            ),
            models.UniqueConstraint(fields=["order", "product"], name="one_line_per_product"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def amount(self) -> int:
        return self.unit_amount * self.quantity

    @property
    def restockable(self) -> int:
        """Units that left the shelf for it and have not come back."""
        return 0 if self.missing else self.quantity - self.restocked


def order_lines(rows: list[dict[str, Any]] | None) -> list[OrderLine]:
    """From rows as PostgreSQL's json_agg gives them."""
    names = {field.attname for field in OrderLine._meta.concrete_fields}  # not those of the next release
    return [OrderLine(**{name: row[name] for name in names}) for row in rows or []]
