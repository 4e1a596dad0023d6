"""What a login means for the shop: the guest's orders of this browser move to the account, and staff's
sessions are short.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import IntegrityError
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from shop.models import Order, OrderGrant
from shop.shoppers import Shopper, ShopRequest, guest_id_in


@receiver(user_logged_in)
def bring_guest_orders_along(sender: object, request: ShopRequest, user: User, **kwargs: Any) -> None:
    """Also ends the guest: a used guest id is never used again (shop/visits.py closes its open pages)."""
    guest_id = guest_id_in(request.COOKIES)
    if guest_id is None:
        return
    for order in Order.objects.of(Shopper(guest_id=guest_id)).order_by("pk"):
        try:
            order.hand_over(user.pk)
        except IntegrityError:  # in this very moment the account has got the same cart: now it can be seen
            order.hand_over(user.pk)
    OrderGrant.objects.hand_over(guest_id, user.pk)
    request.leaves_guest = True


@receiver(user_logged_in)
def end_in_time(sender: object, request: ShopRequest, user: User, **kwargs: Any) -> None:
    """Who may do more than shop logs in again each day; working does not put it off."""
    if user.is_staff or user.get_all_permissions():
        request.session.set_expiry(timezone.now() + settings.STAFF_SESSION)


def outlasts_staffs(request: HttpRequest) -> bool:
    """Whether this session began as a shopper's, who got her rights since: it would last for days."""
    return request.session.get_expiry_date() > timezone.now() + settings.STAFF_SESSION
