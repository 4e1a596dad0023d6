"""An open page, as its process knows it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from realtime.codes import INTERNAL_ERROR, NOT_READING
from realtime.fragments import OVERLAP, Fragment
from shop.visits import Visit

PATIENCE = 30
"""Seconds in which a page has to make room for its next message."""

Send = Callable[[dict[str, Any]], Awaitable[None]]
Close = Callable[[int], Awaitable[None]]


class Page:
    """The topics it shows, the versions it has, and the mail that it still has to be sent.

    It takes mail only until its first sweep has confirmed who is behind it. The mailbox keeps one
    fragment per key, the newest: where a server lets us wait, a page that reads slowly costs what it shows.
    """

    __slots__ = (
        "_before_word",
        "_close",
        "_closing",
        "_mail",
        "_send",
        "_versions",
        "_word",
        "_writer",
        "caught_up",
        "floor",
        "rendered_at",
        "topics",
        "visit",
    )

    def __init__(
        self, send: Send, close: Close, visit: Visit, topics: frozenset[str], rendered_at: float
    ) -> None:
        self._send = send
        self._close = close
        self.visit = visit
        self.topics = topics
        self.rendered_at = rendered_at
        self.floor = rendered_at - OVERLAP
        """What changed earlier than this is in the page: it was rendered with it, or was sent it."""
        self.caught_up = False
        self._versions: dict[str, tuple[int, float]] = {}
        self._mail: dict[str, Fragment] = {}
        self._word = ""
        self._before_word: set[str] = set()  # keys of the mail that the word waits for
        self._writer: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def wants(self, key: str, version: int, changed_at: float) -> bool:
        """Whether this state is newer than what the page shows or is about to be sent."""
        if waiting := self._mail.get(key):
            return version > waiting.version
        if key in self._versions:
            return version > self._versions[key][0]
        return changed_at >= self.floor

    def offer(self, fragment: Fragment) -> bool:
        """Send it if it is news; what is old or known already is dropped here and nowhere else."""
        if not self.wants(*fragment.state):
            return False
        self._mail.pop(fragment.key, None)  # what is newer is sent later: a whole list after its rows
        self._mail[fragment.key] = fragment
        self._deliver()
        return True

    def confirm(self, word: str = "") -> None:
        """A sweep found it in order: mail goes out from now on, and after what is there now, or takes its
        place, the word, if there is one.
        """
        self.caught_up = True
        # One that still waits is not put off: where mail never ends none would ever go out.
        if word and (not self._word or self._mail.keys() <= self._before_word):
            self._word, self._before_word = word, set(self._mail)
        self._deliver()

    def forget_before(self, time: float) -> None:
        """A sweep has brought all that changed earlier (in seconds since 1970): no need to remember it.

        A page that is open all day sees a whole day's orders.
        """
        self.floor = time  # which is earlier than the last, if the database's clock was set back
        self._versions = {key: state for key, state in self._versions.items() if state[1] >= self.floor}

    def shut(self) -> None:
        """Nothing goes out any more."""
        self.caught_up = False
        self._mail.clear()
        self._word = ""
        self._before_word.clear()

    def end(self, code: int) -> None:
        """Send nothing more, and close. Waits for nobody: the client may have stopped reading."""
        self.shut()
        self._closing = asyncio.create_task(self._end(code))

    def _deliver(self) -> None:
        if self.caught_up and (self._mail or self._word) and self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while text := self._next():
                async with asyncio.timeout(PATIENCE):
                    await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self.end(NOT_READING)
        except Exception:  # noqa: BLE001  it is gone, or what it should be sent cannot be sent
            # It comes back and is brought up to date; one that was left open would be stale and look live.
            self.end(INTERNAL_ERROR)
        finally:
            self._writer = None

    async def _end(self, code: int) -> None:
        with suppress(Exception):  # the socket may be gone already
            await self._close(code)

    def _next(self) -> str:
        if self._mail and (self._before_word or not self._word):
            key = next(iter(self._mail))
            fragment = self._mail.pop(key)
            self._before_word.discard(key)
            self._versions[key] = fragment.version, fragment.changed_at
            return fragment.html
        word, self._word = self._word, ""
        return word
