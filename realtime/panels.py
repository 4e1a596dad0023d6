"""Panels: what staff see of many rows at once, each a fragment of its own, whole whenever it is sent.

They have no row that could give them a version, so the time at which they were read is it: whatever was
committed before is in it.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from realtime import gauges
from realtime.fragments import Fragment, timed_fragment, version_at
from realtime.pages import Page
from realtime.topics import PAYMENT, PAYMENTS, WEBHOOKS, filter_of, group_of, key_of, kind_of
from shop.alarm import alarm
from shop.dashboard.checkouts import open_checkouts
from shop.dashboard.events import events
from shop.dashboard.legs import legs
from shop.dashboard.numbers import numbers
from shop.dashboard.pictures import pictures
from shop.dashboard.recorder import recorder
from shop.models.clock import database_now

log = logging.getLogger(__name__)

PACE = 1.0
"""Seconds between two readings of the same panel: nobody reads sums that change faster. But who comes
has them read again, once for all who come at the same moment.
"""
MOST_KEPT = 200
"""Panels, each with its filter: filters are typed by staff."""
SLOW_PACE = 4.0
"""The same for those that are not hurried: less than from one patrol to the next."""


@dataclass(frozen=True, slots=True)
class Panel:
    """`name` is its root id in the page, and its partial's."""

    name: str
    content: Callable[..., dict[str, Any]]
    """Without arguments, or with what `depends_on` finds in the page's topic; what the partial wants."""
    kinds: tuple[str, ...]
    """Of topics whose pages show it."""
    depends_on: Callable[[str], str] | None = None
    hurried: bool = True
    """Whether it follows within the second. What is large and moves slowly follows with the patrols."""

    @property
    def partial(self) -> str:
        return f"live/_{self.name}.html"

    def of(self, topic: str) -> str:
        """What of the page's topic its content depends on."""
        return self.depends_on(topic) if self.depends_on else ""

    def address(self, topic: str) -> tuple[str, str]:
        """Topics with the same are shown the same."""
        return self.name, self.of(topic)

    def read(self, of: str) -> dict[str, Any]:
        return self.content(of) if self.depends_on else self.content()


PANELS: tuple[Panel, ...] = (
    Panel("alarm", alarm, (PAYMENTS, WEBHOOKS, PAYMENT)),
    Panel("numbers", numbers, (PAYMENTS,)),
    Panel("pictures", pictures, (PAYMENTS,), hurried=False),
    Panel("checkouts", open_checkouts, (PAYMENTS,)),
    Panel("recorder", recorder, (WEBHOOKS,), filter_of),
    Panel("legs", legs, (WEBHOOKS,), hurried=False),
    Panel("events", events, (PAYMENT,), key_of),
)


def hint_of_webhooks() -> Fragment:
    """For pages that show Stripe's deliveries: there is news."""
    as_of = database_now().timestamp()
    return Fragment(WEBHOOKS, "recorder", version_at(as_of), as_of, html="")


def render_panel(name: str, of: str, as_of: float) -> SafeString:
    """As a page includes it: read now, after `as_of` (the database's time, in seconds since 1970).

    `of` is what its content depends on of the page's topic: a filter, or an order's id.
    """
    panel = next(panel for panel in PANELS if panel.name == name)
    return render_to_string(panel.partial, {**panel.read(of), "version": version_at(as_of)})


@dataclass(slots=True)
class _Shown:
    """A panel's newest state, and when it was last read, by this process's clock. `greeting` is the same for
    who came later, of a later version: no page's version falls, whichever process it was sent by.
    """

    content: dict[str, Any]
    fragment: Fragment
    greeting: Fragment
    read_at: float


class Panels:
    """Those of this process's pages. What has not changed keeps its version, so nobody is sent it again."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], _Shown] = {}
        self._look_began = 0.0
        self._broken: set[tuple[str, str]] = set()  # what this look could not read, by address
        self.late: set[str] = set()
        """Groups whose panels were left for later, because they had just been read."""

    def fragments(self, pages: Mapping[str, Collection[Page]]) -> tuple[list[Fragment], set[str]]:
        """All that these pages show, by topic, and the topics with a panel that could not be read: it keeps
        nobody from the others.
        """
        if len(self._shown) > MOST_KEPT:
            self._shown.clear()
        self._look_began = time.monotonic()
        self._broken = set()
        fragments: list[Fragment] = []
        unread: set[str] = set()
        for topic, them in pages.items():
            newcomers = not any(page.caught_up for page in them)
            for panel in PANELS:
                if kind_of(topic) not in panel.kinds:
                    continue
                if current := self._attempt(panel, topic, newcomers=newcomers):
                    fragments.append(replace(current, topic=topic))
                else:
                    unread.add(topic)
        return fragments, unread

    def _attempt(self, panel: Panel, topic: str, *, newcomers: bool) -> Fragment | None:
        """None if it cannot be read, which is tried once a look: lists share sums, and it may take long."""
        address = panel.address(topic)
        if address in self._broken:
            return None
        try:
            return self._current(panel, topic, newcomers=newcomers)
        except Exception as error:  # noqa: BLE001  the next patrol tries again
            log.error("Panel %s cannot be read: %s", panel.name, type(error).__name__)
        gauges.unread_panels.inc()
        self._broken.add(address)
        if shown := self._shown.get(address):
            # Neither recent nor, for who comes meanwhile, new enough: whatever is read next is news for all.
            self._shown[address] = replace(shown, content={}, read_at=-math.inf)
        return None

    def _current(self, panel: Panel, topic: str, *, newcomers: bool) -> Fragment:
        """Read again for newcomers, who may have been shown what is newer than what we have read."""
        address = panel.address(topic)
        shown = self._shown.get(address)
        if shown is None or not (self._was_just_read(shown) or (_is_recent(panel, shown) and not newcomers)):
            shown = self._shown[address] = self._read(panel, topic, shown, newcomers=newcomers)
        elif panel.hurried and not self._was_just_read(shown):
            # What another list of the same look has just read is not late: it would be so each time.
            self.late.add(group_of(topic))
        return shown.greeting if newcomers else shown.fragment

    def _read(self, panel: Panel, topic: str, shown: _Shown | None, *, newcomers: bool) -> _Shown:
        read_at, as_of = time.monotonic(), database_now().timestamp()
        content = panel.read(panel.of(topic))
        is_known = shown is not None and content == shown.content
        if shown and is_known and not newcomers:
            return replace(shown, read_at=read_at)
        after = shown.greeting.version if shown else 0
        fragment = timed_fragment(topic, panel.name, panel.partial, content, as_of, after=after)
        return _Shown(content, shown.fragment if shown and is_known else fragment, fragment, read_at)

    def _was_just_read(self, shown: _Shown) -> bool:
        return shown.read_at >= self._look_began


def _is_recent(panel: Panel, shown: _Shown) -> bool:
    return time.monotonic() - shown.read_at < (PACE if panel.hurried else SLOW_PACE)
