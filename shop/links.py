"""Links that open an order in another browser: made for an e-mail, exchanged for a right to see it."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.urls import reverse

from shop.models import Order, OrderGrant, OrderLink
from shop.models.links import MOST_USES
from shop.shoppers import Shopper

LASTS = timedelta(days=30)


def link_to(order: Order) -> str:
    """A new one, absolute. Its token is nowhere but in what is returned."""
    token = secrets.token_urlsafe(24)
    OrderLink.objects.create(order=order, token_hash=_hash(token), expires_at=Now() + LASTS)
    return f"{settings.PUBLIC_URL}{reverse('order_link', args=[token])}"


def follow(token: str, shopper: Shopper) -> Order | None:
    """The order behind a link, which the shopper from now on may see; None if the link is no good (any more).

    Whoever may see it already uses nothing up: a second click does no harm. A mail scanner is a new browser
    each time; for that there are some uses to spare.
    """
    with transaction.atomic():
        links = OrderLink.objects.select_for_update(of=["self"]).select_related("order")
        link = links.filter(token_hash=_hash(token)).first()
        if link is None:
            return None
        if Order.objects.visible_to(shopper).filter(pk=link.order_id).exists():
            return link.order
        good = OrderLink.objects.filter(pk=link.pk, uses__lt=MOST_USES, expires_at__gt=Now())
        if not good.update(uses=F("uses") + 1):
            return None
        OrderGrant.objects.over().filter(order=link.order).delete()
        grant = OrderGrant(order=link.order, user_id=shopper.user_id, guest_id=shopper.guest_id)
        OrderGrant.objects.bulk_create([grant], ignore_conflicts=True)  # another link, opened at this moment
        return link.order


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
