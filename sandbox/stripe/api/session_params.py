"""What a Checkout Session may be opened with: https://docs.stripe.com/api/checkout/sessions/create"""

import re
import time
from urllib.parse import urlsplit

from sandbox.stripe import money
from sandbox.stripe.account import Account
from sandbox.stripe.amounts import check_whole
from sandbox.stripe.api.errors import invalid, missing_parameter, not_supported
from sandbox.stripe.api.schema import Supported
from sandbox.stripe.objects.payment_method import offered
from sandbox.stripe.store import Json

_PRODUCT: Supported = {"name": None, "description": None, "images": None, "metadata": None}
_PRICE: Supported = {"currency": None, "unit_amount": None, "product_data": _PRODUCT}
_OFF: Supported = {"enabled": (False,)}

SUPPORTED: Supported = {
    "adaptive_pricing": _OFF,
    "allow_promotion_codes": (False,),
    "allowed_payment_method_types": None,
    "automatic_tax": _OFF,
    "billing_address_collection": ("auto",),
    "branding_settings": {"display_name": None},
    "cancel_url": None,
    "client_reference_id": None,
    "customer_creation": ("if_required",),
    "customer_email": None,
    "expand": None,
    "expires_at": None,
    "invoice_creation": _OFF,
    "line_items": {"metadata": None, "price_data": _PRICE, "quantity": None},
    "locale": None,
    "metadata": None,
    "mode": ("payment",),
    "payment_intent_data": {
        "capture_method": ("automatic_async",),
        "description": None,
        "metadata": None,
        "receipt_email": None,
    },
    "phone_number_collection": _OFF,
    "submit_type": None,
    "success_url": None,
    "ui_mode": ("hosted_page",),
}

EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_MAX_ITEMS, _MAX_EXPIRY = 100, 24 * 3600
# A client's clock and ours, and the way of the request, may differ by this much.
_TOLERANCE = 60


def check(account: Account, params: Json) -> None:
    """Raises what Stripe answers to parameters that are well formed but wrong."""
    for name in ("mode", "success_url", "line_items"):
        if name not in params:
            raise missing_parameter(name)
    for name in ("success_url", "cancel_url"):
        if name in params:
            _check_url(params[name], name)
    _check_length(params, "client_reference_id", 200)
    if not EMAIL.fullmatch(params.get("customer_email", "a@b.c")):
        raise invalid(f"Invalid email address: {params['customer_email']}", "customer_email", "email_invalid")
    if "expires_at" in params:
        _check_expiry(params["expires_at"], account.config.min_expiry_seconds)
    _check_items(params["line_items"])
    currency = params["line_items"][0]["price_data"]["currency"]
    if not offered(currency, params.get("allowed_payment_method_types")):
        raise not_supported("allowed_payment_method_types", "a list with card or a bank debit in it")


def _check_url(url: str, param: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 5000
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\x00-\x1f]", url):
        raise invalid("Not a valid URL", param, "url_invalid")


def _check_length(params: Json, name: str, most: int) -> None:
    value = params.get(name, "")
    if len(value) > most:
        raise invalid(
            f"Invalid string: {value[:10]}...{value[-10:]}; must be at most {most} characters", name
        )


def _check_expiry(expires_at: int, least: int) -> None:
    ahead = expires_at - time.time()
    if ahead < least - _TOLERANCE:
        minutes = f"{least // 60} minutes" if least % 60 == 0 else f"{least} seconds"
        text = f"at least {minutes} from Checkout Session creation"
        raise invalid(f"The `expires_at` timestamp must be {text}.", "expires_at")
    if ahead > _MAX_EXPIRY + _TOLERANCE:
        text = "less than 24 hours from Checkout Session creation"
        raise invalid(f"The `expires_at` timestamp must be {text}.", "expires_at")


def _check_items(items: list[Json]) -> None:
    if not 1 <= len(items) <= _MAX_ITEMS:
        raise invalid(f"A Checkout Session has 1 to {_MAX_ITEMS} line items.", "line_items")
    for position, item in enumerate(items):
        _check_item(item, f"line_items[{position}]")
    if len({item["price_data"]["currency"].lower() for item in items}) > 1:
        raise invalid("All line items must be in the same currency.", "line_items")
    currency = items[0]["price_data"]["currency"].lower()
    total = sum(item["price_data"]["unit_amount"] * item["quantity"] for item in items)
    least = money.minimum(currency)
    if total < least:
        text = f"at least {money.show(least, currency)} {currency}"
        raise invalid(
            f"The Checkout Session's total amount due must add up to {text}", None, "amount_too_small"
        )
    if total > money.maximum(currency):
        text = f"no more than {money.show(money.maximum(currency), currency)}"
        raise invalid(
            f"The Checkout Session's total amount due must be {text}", "line_items", "amount_too_large"
        )


def _check_item(item: Json, path: str) -> None:
    for name in ("price_data", "quantity"):
        if name not in item:
            raise missing_parameter(f"{path}[{name}]")
    for name in ("product_data", "unit_amount"):
        if name not in item["price_data"]:
            raise missing_parameter(f"{path}[price_data][{name}]")
    if item["quantity"] < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid(message, f"{path}[quantity]", "parameter_invalid_integer")
    price = item["price_data"]
    currency = price["currency"].lower()
    if currency not in money.CURRENCIES:
        raise invalid(f"Invalid currency: {currency[:10]}", f"{path}[price_data][currency]")
    if price["unit_amount"] < 0:
        message = "Invalid non-negative integer"
        raise invalid(message, f"{path}[price_data][unit_amount]", "parameter_invalid_integer")
    check_whole(price["unit_amount"], currency, f"{path}[price_data][unit_amount]")
    for image in price["product_data"].get("images", []):
        _check_url(image, f"{path}[price_data][product_data][images]")
    _check_length(price["product_data"], "name", 250)
