"""Whether what stands behind an open page still stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from shop.models import Order, OrderGrant
from shop.rights import holders
from shop.shoppers import Shopper


@dataclass(frozen=True, slots=True)
class Visit:
    """What lets an open page go on being shown: a session or a guest's cookie, and for staff a right."""

    shopper: Shopper
    session_key: str = ""
    right: str = ""


class End(Enum):
    SESSION_OVER = auto()
    """Logged out, disabled, password changed elsewhere, or a guest whose orders moved to an account."""
    RIGHT_LOST = auto()


def ended(visits: Iterable[Visit]) -> dict[Visit, End]:
    """Those that may no longer be shown what they were, and why.

    At most three queries and one for each right, however many there are.
    """
    visits = set(visits)
    users = {visit for visit in visits if visit.session_key}
    guests = {visit for visit in visits if visit.shopper.guest_id}
    alive = _live_sessions({visit.session_key for visit in users})
    moved = _moved_guests({visit.shopper.guest_id for visit in guests})
    gone = {visit for visit in users if alive.get(visit.session_key) != visit.shopper.user_id}
    gone |= {visit for visit in guests if visit.shopper.guest_id in moved}
    lost = _without_right({visit for visit in visits - gone if visit.right})
    return dict.fromkeys(lost, End.RIGHT_LOST) | dict.fromkeys(gone, End.SESSION_OVER)


def row_key(session_key: str) -> str:
    """What a session is kept under in the table (project/sessions.py): whoever reads it, or a backup, must
    not be logged in by that. 160 bits, for which its column has room; nobody guesses keys of 165.
    """
    return sha256(session_key.encode(errors="replace")).hexdigest()[:40]


def _live_sessions(keys: set[str]) -> dict[str, int]:
    """Session key → the user it is good for."""
    if not keys:
        return {}
    kept = {row_key(key): key for key in keys}
    sessions = Session.objects.filter(session_key__in=kept, expire_date__gt=timezone.now())
    data = {kept[session.session_key]: session.get_decoded() for session in sessions}
    users = User.objects.in_bulk(
        {int(content[SESSION_KEY]) for content in data.values() if SESSION_KEY in content}
    )
    return {
        key: user.pk
        for key, content in data.items()
        if (user := users.get(int(content.get(SESSION_KEY, 0))))
        and user.is_active
        and constant_time_compare(content.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
    }


def _moved_guests(guest_ids: set[UUID | None]) -> set[UUID | None]:
    if not guest_ids:
        return set()
    orders, grants = (
        rows.filter(guest_id__in=guest_ids, user__isnull=False).order_by().values_list("guest_id", flat=True)
        for rows in (Order.objects.all(), OrderGrant.objects.all())
    )
    return set(orders.union(grants))


def _without_right(visits: set[Visit]) -> set[Visit]:
    user_ids = {visit.shopper.user_id for visit in visits if visit.shopper.user_id is not None}
    having = {right: holders(right, user_ids) for right in {visit.right for visit in visits}}
    return {visit for visit in visits if visit.shopper.user_id not in having[visit.right]}
