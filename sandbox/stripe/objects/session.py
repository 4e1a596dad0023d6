"""https://docs.stripe.com/api/checkout/sessions/object"""

from sandbox.stripe.ids import new_id
from sandbox.stripe.objects.metadata import merged
from sandbox.stripe.store import Json

_OPTIONS: Json = {
    "card": {"request_three_d_secure": "automatic"},
    "us_bank_account": {"verification_method": "automatic"},
}


def new_session(params: Json, total: int, currency: str, created: int, base_url: str, business: str) -> Json:
    """An open, unpaid session on a hosted page. Its PaymentIntent comes with the first attempt to pay.

    `params["payment_method_types"]`, cards if missing, is what the page offers.
    """
    kinds = params.get("payment_method_types", ["card"])
    session_id = new_id("cs_test", 60)
    email = params.get("customer_email")
    return {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "branding_settings": _branding(params.get("branding_settings", {}).get("display_name", business)),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": created,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": None,
        "customer_account": None,
        "customer_creation": "if_required",
        "customer_details": customer_details(email, None) if email else None,
        "customer_email": email,
        "discounts": [],
        "expires_at": params.get("expires_at", created + 86400),
        "invoice": None,
        "invoice_creation": {
            "enabled": False,
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": merged({}, params.get("metadata")),
        "mode": "payment",
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {kind: _OPTIONS.get(kind, {}) for kind in kinds},
        "payment_method_types": kinds,
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "redirect_on_completion": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{base_url}/c/pay/{session_id}",
        "wallet_options": None,
    }


def customer_details(email: str, name: str | None) -> Json:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        "address": address if name else None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [] if name else None,
    }


def _branding(display_name: str) -> Json:
    return {
        "background_color": "#ffffff",
        "border_style": "rounded",
        "button_color": "#4a3aff",
        "display_name": display_name,
        "font_family": "default",
        "icon": None,
        "logo": None,
    }
