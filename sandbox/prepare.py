"""What the database needs before the shop can open, in one process: starting Django takes the longest."""

import os
import sys

import django
from django.core.management import CommandError, call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    try:
        call_command("migrate", interactive=False, verbosity=1)
    except CommandError as error:
        sys.exit(str(error))
    call_command("seed_products")
    make_staff(os.environ["STAFF_USERNAME"], os.environ["STAFF_PASSWORD"])


def make_staff(username: str, password: str) -> None:
    from django.contrib.auth.models import User  # only after django.setup()

    staff = User.objects.filter(username=username).first() or User(username=username, is_staff=True)
    if not staff.is_staff:
        sys.exit(f"{username} is somebody's account in the shop: choose another STAFF_USERNAME.")
    staff.is_staff = staff.is_superuser = staff.is_active = True
    if not staff.check_password(password):  # a new hash would end the sessions of who is logged in
        staff.set_password(password)
    staff.save()


if __name__ == "__main__":
    main()
