"""Make the three groups that staff are usually divided into."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand
from django.db import transaction

from shop.rights import FULFIL_ORDER, REFUND_ORDER, VIEW_PAYMENTS, VIEW_WEBHOOK_PAYLOAD

GROUPS = {
    "Viewers": [VIEW_PAYMENTS],
    "Packers": [VIEW_PAYMENTS, FULFIL_ORDER],
    "Managers": [VIEW_PAYMENTS, FULFIL_ORDER, REFUND_ORDER, VIEW_WEBHOOK_PAYLOAD],
}


class Command(BaseCommand):
    help = "Create three groups of staff. Safe to repeat: a group that exists keeps the rights that it has."

    def handle(self, *args: Any, **options: Any) -> None:
        made = sum(_make(name, rights) for name, rights in GROUPS.items())
        self.stdout.write(f"{made} groups created, {len(GROUPS) - made} already there.")


@transaction.atomic
def _make(name: str, rights: list[str]) -> bool:
    group, created = Group.objects.get_or_create(name=name)
    if created:
        codenames = [right.removeprefix("shop.") for right in rights]
        group.permissions.set(
            Permission.objects.filter(content_type__app_label="shop", codename__in=codenames)
        )
    return created
