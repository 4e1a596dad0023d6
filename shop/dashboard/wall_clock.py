"""What the clock on the shop's wall shows (settings.TIME_ZONE), also on the days when it is changed."""

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta

from django.utils.timezone import get_default_timezone


def shop_time(moment: datetime) -> datetime:
    """The same moment as the shop's clock shows it."""
    return moment.astimezone(get_default_timezone())


def start_of(day: date) -> datetime:
    """Its first moment, in UTC: where clocks go forward at midnight it begins at one o'clock."""
    return first_moment(datetime.combine(day, time()))


def same_time_yesterday(moment: datetime) -> datetime:
    """In UTC. `first_moment` says which one it is where yesterday's clock was changed."""
    return first_moment(shop_time(moment).replace(tzinfo=None, fold=0) - timedelta(days=1))


def first_moment(wall: datetime) -> datetime:
    """When the shop's clock first showed this, or later where it jumped over it; in UTC.

    `wall` is naive.
    """
    zone = get_default_timezone()
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if before <= after:
        return before
    # Never shown: going by the clock's offset after the jump leads to before it, and the other way round.
    seconds = range(int((before - after).total_seconds()))
    after = after.replace(microsecond=0)
    return after + timedelta(seconds=bisect_left(seconds, wall, key=lambda second: _shown(after, second)))


def _shown(moment: datetime, seconds_later: int) -> datetime:
    return shop_time(moment + timedelta(seconds=seconds_later)).replace(tzinfo=None)
