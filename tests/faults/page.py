"""An open page: what static/live.js does about its sockets, and static/rows.js about its lists."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tests.faults.dom import Document, Swap
from tests.faults.link import Config, Link
from tests.faults.web import Unreachable

if TYPE_CHECKING:
    from tests.faults.browser import Browser

SESSION_OVER, FORBIDDEN, TOO_MANY = 4401, 4403, 4429
LOOK, SILENCE = 5.0, 40.0  # seconds
RELOAD_GAP, ROOM_GAP = 60.0, 60.0
REFILL_DELAY, REFILL_AGAIN = 1.0, 5.0
LISTED = re.compile(r'#(row-|(older-)?payments")')
"""In what rows.js counts as a push."""
TRIED_AGAIN = (1.0, 5.0, 30.0, 60.0, 300.0)
"""Seconds until Chromium loads a page again that nobody answered."""

OnSwaps = Callable[["Page", list[Swap], str, bool], None]
"""The page, what it was offered, the HTML that brought it, and whether that was pushed or asked for."""


class Page:
    """`open`: every socket is, and the server has said as of when.

    `status` is of the last load, 0 while nobody answers; `stopped` why it is not live any more; `closed_with`
    the last close code, of which `on_closed` is told; `frames` all that came; `loads` how often the page was
    loaded.
    """

    def __init__(self, browser: "Browser", path: str, on_swaps: OnSwaps | None = None) -> None:
        self.browser = browser
        self.path = path
        self.document = Document("")
        self.status = 0
        self.loads = 0
        self.frames = 0
        self.as_of = 0.0
        self.closed_with: int | None = None
        self.on_closed: Callable[[Page, int], None] = _nobody_asks
        self.stopped = ""
        self._on_swaps = on_swaps
        self._loop = asyncio.get_running_loop()
        self._links: list[Link] = []
        self._dead: list[Link] = []
        self._hidden = self._hung = self._left = False
        self._reloaded_at = -RELOAD_GAP
        self._pushes = 0
        self._asking = False
        self._look: asyncio.TimerHandle | None = None
        self._refill: asyncio.TimerHandle | None = None
        self._reload_later: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        return bool(self._links) and all(link.is_open and link.greeted for link in self._links)

    @property
    def connections(self) -> int:
        """How many its sockets have begun since it was loaded."""
        return sum(link.connections for link in self._links)

    def show(self, status: int, html: str) -> None:
        """What was loaded takes the place of what was shown."""
        before = self.document.versions
        self.document = Document(html)
        self.status = status
        self.loads += 1
        swaps = [Swap(key, before.get(key), version) for key, version in self.document.versions.items()]
        self._tell(swaps, html, pushed=False)
        for one in self.document.addresses:
            config = Config.of(self.document.config, pauses=one.pauses)
            link = Link(one.address, config, self._who, self.browser.chance, self._hear, self._closed)
            link.hidden = self._hidden
            self._links.append(link)
            link.start()
        self._look = self._loop.call_later(LOOK, self._look_around)
        for form in self.document.forms:
            if form.attributes.get("hx-trigger") == "load":
                self._do(self._post(form.action, form.fields))

    def close(self) -> None:
        """Leave it for good."""
        self._left = True
        self._unload()
        for link in self._dead:
            link.abort()
        if self in self.browser.pages:
            self.browser.pages.remove(self)

    def reload(self) -> None:
        self._unload()
        self._do(self._load())

    # --- the tab and the line ---------------------------------------------------------------------------

    def sleep(self) -> None:
        """The tab is hidden: hx-ws lets go of its socket, where it may."""
        self._hidden = True
        for link in self._links:
            link.hide()

    def wake(self) -> None:
        self._hidden = False
        for link in self._links:
            link.show()

    def stop_reading(self) -> None:
        """The browser hangs: nothing is read, nobody looks at the clock."""
        self._hung = True
        for link in self._links:
            link.pause_reading()

    def read_on(self) -> None:
        self._hung = False
        for link in self._links:
            link.resume_reading()

    def go_silent(self) -> None:
        """The line is dead and neither side was told: the page notices by the silence, and reloads."""
        for link in self._links:
            link.go_silent()

    # --- live.js ----------------------------------------------------------------------------------------

    def _hear(self, link: Link, text: str) -> None:
        self.frames += 1
        if text.startswith("{"):
            as_of = json.loads(text).get("as_of")
            if as_of:
                link.greeted = True
                self.as_of = as_of
                self._reloaded_at = -RELOAD_GAP
            return
        if LISTED.search(text):
            self._pushes += 1
        self._tell(self.document.apply(text), text, pushed=True)
        if self.document.wants_refill:
            self._refill_later()

    def _closed(self, link: Link, code: int) -> bool:
        self.closed_with = code
        self.on_closed(self, code)
        if code in (SESSION_OVER, FORBIDDEN):
            self._reload_once()
            return False
        if code == TOO_MANY:
            self.stopped = "too many windows are open"
            if not any(
                form.id == "buy" or "data-answered" in form.attributes for form in self.document.forms
            ):
                self._reload_later = self._loop.call_later(ROOM_GAP, self.reload)
        return not self.stopped

    def _reload_once(self) -> None:
        now = self._loop.time()
        if now - self._reloaded_at < RELOAD_GAP:
            self.stopped = "reload the page to go on"
        else:
            self._reloaded_at = now
            self._loop.call_soon(self.reload)

    def _look_around(self) -> None:
        self._look = self._loop.call_later(LOOK, self._look_around)
        if self._hung or self.stopped:
            return
        for link in self._silent():
            if link.is_connecting:
                link.break_off()
        if self._silent() and not self._asking:
            self._asking = True
            self._do(self._ask_and_reload())

    def _silent(self) -> list[Link]:
        now = self._loop.time()
        return [link for link in self._links if link.heard and now - link.heard >= SILENCE]

    async def _ask_and_reload(self) -> None:
        try:
            answer = await self.browser.get("/readyz")
        except Unreachable:
            return
        finally:
            self._asking = False
        if answer.status == 200 and self._silent():
            self._loop.call_soon(self.reload)

    # --- rows.js ----------------------------------------------------------------------------------------

    def _refill_later(self, wait: float = REFILL_DELAY) -> None:
        if not self._refill:
            self._refill = self._loop.call_later(wait, lambda: self._do(self._fill_up()))

    async def _fill_up(self) -> None:
        self._refill = None
        before = self._pushes
        try:
            answer = await self.browser.get(self.path)
        except Unreachable:
            self._refill_later(REFILL_AGAIN)
            return
        if answer.location:
            return  # who may no longer look is told by the socket
        if answer.status != 200:
            self._refill_later(REFILL_AGAIN)
        elif self._pushes != before:
            self._refill_later()
        else:
            self._tell(self.document.refill(answer.text), answer.text, pushed=False)
            if self.document.wants_refill:
                self._refill_later()

    # --- the browser ------------------------------------------------------------------------------------

    async def _load(self) -> None:
        self.status = 0
        for delay in (*TRIED_AGAIN, None):
            try:
                answer = await self.browser.get(self.path, follow=True)
            except Unreachable:
                if delay is None:
                    return
                await asyncio.sleep(delay)
            else:
                self.show(answer.status, answer.text)
                return

    async def _post(self, action: str, fields: dict[str, str]) -> None:
        with suppress(Unreachable):
            await self.browser.post(action, fields, self.path, by_htmx=True)

    def _unload(self) -> None:
        for link in self._links:
            link.end()
        self._dead += [link for link in self._links if link.has_dead_sockets]
        self._links = []
        self.stopped = ""
        for timer in (self._look, self._refill, self._reload_later):
            if timer:
                timer.cancel()
        self._refill = None
        for task in self._tasks:
            task.cancel()

    def _who(self) -> tuple[str, str]:
        return self.browser.origin, self.browser.cookie_header

    def _tell(self, swaps: list[Swap], html: str, *, pushed: bool) -> None:
        if self._on_swaps:
            self._on_swaps(self, swaps, html, pushed)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        if self._left:
            work.close()
            return
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _nobody_asks(page: Page, code: int) -> None:
    pass
