"""What tests start from, made by the shop's own verbs."""

import itertools
import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db.models import F
from django.test import Client

from shop.buying import order_for
from shop.models import Order, Product, Source
from shop.shoppers import GUEST_COOKIE, Shopper, guest_id_in

_numbers = itertools.count(1)


def product(**fields: Any) -> Product:
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "slug": f"bell-{number}",
        "name": f"Bell {number}",
        "unit_amount": 1250,
        "stock": 10,
    }
    return Product.objects.create(**defaults | fields)


def guest() -> Shopper:
    return Shopper(guest_id=uuid.uuid4())


def user(**fields: Any) -> User:
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "username": f"ada{number}",
        "email": f"ada{number}@example.com",
        "password": "correct horse",
    }
    return User.objects.create_user(**defaults | fields)


def staff(*rights: str, **fields: Any) -> User:
    """A member of staff with these rights of the shop, for example "shop.view_payments"; or a superuser."""
    member = user(is_staff=True, is_superuser=not rights, **fields)
    codenames = [right.removeprefix("shop.") for right in rights]
    member.user_permissions.set(
        Permission.objects.filter(content_type__app_label="shop", codename__in=codenames)
    )
    return member


def order(shopper: Shopper | None = None, *cart: tuple[Product, int]) -> Order:
    """A pending order, its stock held: two of a new product unless told otherwise."""
    return order_for(shopper or guest(), cart or [(product(), 2)])


def paid_order(shopper: Shopper | None = None, *cart: tuple[Product, int]) -> Order:
    """An order that Stripe has the money of, its units taken."""
    made = order(shopper, *cart)
    intent = f"pi_{made.public_id.hex}"
    made.mark_paid(payment_intent_id=intent, email="ada@example.com", source=Source.WEBHOOK)
    return made


def long_ago() -> None:
    """Let all that happened so far be an hour old: of that a page that opens now needs no telling."""
    for model in (Order, Product):
        model._default_manager.update(updated_at=F("updated_at") - timedelta(hours=1))


def visitor() -> Client:
    """A guest's browser, which has opened the shop page."""
    client = Client()
    client.get("/")
    return client


def browser_of(user: User) -> Client:
    """Logged in."""
    client = Client()
    client.force_login(user)
    return client


def shopper_of(client: Client) -> Shopper:
    """The guest that a test client became by visiting the shop."""
    return Shopper(guest_id=guest_id_in({GUEST_COOKIE: client.cookies[GUEST_COOKIE].value}))
