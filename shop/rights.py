"""What staff may do. Views and open pages ask here, so a right that is taken away is gone from both."""

from collections.abc import Collection

from django.contrib.auth.models import User

VIEW_PAYMENTS = "shop.view_payments"
REFUND_ORDER = "shop.refund_order"
FULFIL_ORDER = "shop.fulfil_order"
VIEW_WEBHOOK_PAYLOAD = "shop.view_webhook_payload"


def holders(right: str, user_ids: Collection[int]) -> set[int]:
    """Those of these users who have the right, by themselves, by a group or as superusers. One query."""
    # By name: with several backends Django wants to be told which of them keeps the permissions.
    having = User.objects.with_perm(right, backend="django.contrib.auth.backends.ModelBackend")
    return set(having.filter(pk__in=user_ids).values_list("pk", flat=True))


def has(user_id: int, right: str) -> bool:
    return user_id in holders(right, [user_id])
