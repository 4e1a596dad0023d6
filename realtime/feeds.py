"""Staff's lists of payments. Each shows what its filter lets through, also of what is pushed."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import replace

from django.http import QueryDict

from realtime.fragments import Audience, Fragment, order_fragment, timed_fragment
from realtime.topics import PAYMENTS, filter_of, kind_of
from shop.dashboard.feed import Cursor, PaymentFilter, matching, rows
from shop.models import Order
from shop.models.clock import database_now

log = logging.getLogger(__name__)

_newest = 0
"""Version of the whole list that was read last: the next one is newer, whatever the database's clock says."""


def feeds_in(topics: Iterable[str]) -> list[str]:
    """The topics that are such a list's, one for each filter."""
    return [topic for topic in topics if kind_of(topic) == PAYMENTS]


def depends_on_the_day(topic: str) -> bool:
    """Whether its filter lets through something else after midnight, although no order has changed."""
    return "period" in QueryDict(filter_of(topic))


def list_fragments(topics: Iterable[str]) -> tuple[list[Fragment], set[str]]:
    """Whole lists, and the topics of those that could not be read: one keeps nobody from the others."""
    fragments, unread = [], set()
    for topic in topics:
        try:
            fragments.append(list_fragment(topic))
        except Exception as error:  # noqa: BLE001  and no word of the filter: it may be somebody's address
            log.error("A list cannot be read: %s", type(error).__name__)
            unread.add(topic)
    return fragments, unread


def list_fragment(topic: str) -> Fragment:
    """The whole list, as a page with this address would be rendered now."""
    global _newest
    as_of = database_now().timestamp()
    query = QueryDict(filter_of(topic))
    after = Cursor.read(query.get("after", ""))
    orders, _older = rows(PaymentFilter.from_query(query), after)
    context = {"orders": orders, "whole_list": True}
    key = "older-payments" if after else "payments"
    fragment = timed_fragment(topic, key, "live/_payments.html", context, as_of, after=_newest)
    _newest = fragment.version
    return fragment


class Feeds:
    """What some orders are in each of these lists: a row, or gone. One query, each row rendered once."""

    def __init__(self, topics: Collection[str], pks: Collection[int]) -> None:
        self._matching = matching({filter_of(topic) for topic in topics}, pks) if topics and pks else {}
        self._rows: dict[int, Fragment] = {}

    def fragment(self, order: Order, audience: Audience) -> Fragment | None:
        """None if the audience is no such list."""
        if kind_of(audience.topic) != PAYMENTS:
            return None
        if order.pk not in self._matching[filter_of(audience.topic)]:
            audience = replace(audience, partial="", into_list="")
            return order_fragment(order, audience)
        if order.pk not in self._rows:
            self._rows[order.pk] = order_fragment(order, audience)
        return replace(self._rows[order.pk], topic=audience.topic)
