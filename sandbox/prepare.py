"""What the database needs before the shop can open, in one process: starting Django takes the longest."""

import os
import sys

import django
from django.core.management import CommandError, call_command

from sandbox.accounts import COLLEAGUES, password_variable


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    try:
        call_command("migrate", interactive=False, verbosity=1)
    except CommandError as error:
        sys.exit(str(error))
    call_command("seed_products")
    call_command("seed_groups")
    make_staff(os.environ["STAFF_USERNAME"], os.environ["STAFF_PASSWORD"])
    for username, group in COLLEAGUES.items():
        if password := os.environ.get(password_variable(username)):
            make_colleague(username, group, password)


def make_staff(username: str, password: str) -> None:
    from django.contrib.auth.models import User  # only after django.setup()

    staff = User.objects.filter(username=username).first() or User(username=username, is_staff=True)
    if not staff.is_staff:
        sys.exit(f"{username} is somebody's account in the shop: choose another STAFF_USERNAME.")
    staff.is_staff = staff.is_superuser = staff.is_active = True
    if not staff.check_password(password):  # a new hash would end the sessions of who is logged in
        staff.set_password(password)
    staff.save()


def make_colleague(username: str, group: str, password: str) -> None:
    """Once. Whoever took the account a right, put it to sleep or moved it has meant it; only the password is
    always the one that `make run` tells.
    """
    from django.contrib.auth.models import Group, User
    from django.db import transaction

    with transaction.atomic():
        ours = {"email": f"{username}@demo.invalid", "is_staff": True}
        account, is_new = User.objects.get_or_create(username=username, defaults=ours)
        if is_new:
            account.groups.add(Group.objects.get(name=group))
        elif account.email != ours["email"]:
            print(f"Note: {username} was somebody's account already, and has another password.")
            return
        if is_new or not account.check_password(password):
            account.set_password(password)
            account.save(update_fields=["password"])


if __name__ == "__main__":
    main()
