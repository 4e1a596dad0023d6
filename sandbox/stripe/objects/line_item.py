"""https://docs.stripe.com/api/checkout/sessions/line_items"""

from sandbox.stripe.ids import new_id
from sandbox.stripe.objects.metadata import merged
from sandbox.stripe.store import Json


def new_product(data: Json, created: int) -> Json:
    """The product that Stripe makes out of `product_data`; inactive, since it belongs to this one sale."""
    return {
        "id": new_id("prod", 14),
        "object": "product",
        "active": False,
        "created": created,
        "default_price": None,
        "description": data.get("description"),
        "images": data.get("images", []),
        "livemode": False,
        "marketing_features": [],
        "metadata": merged({}, data.get("metadata")),
        "name": data["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": created,
        "url": None,
    }


def new_line_item(product: Json, unit_amount: int, currency: str, quantity: int, metadata: Json) -> Json:
    total = unit_amount * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": currency,
        "description": product["name"],
        "metadata": merged({}, metadata),
        "price": _price(product, unit_amount, currency),
        "quantity": quantity,
    }


def _price(product: Json, unit_amount: int, currency: str) -> Json:
    return {
        "id": new_id("price"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": product["created"],
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product["id"],
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": unit_amount,
        "unit_amount_decimal": str(unit_amount),
    }
