"""Everybody's eyes: whether what open pages are sent only goes forward, is theirs, and ends up true."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg

from tests.faults.browser import Page, Unreachable
from tests.faults.dom import Document, Swap
from tests.faults.history import History
from tests.faults.promises import CONVERGED
from tests.faults.truth import Database, Shown

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ORDER_ID = re.compile(rf'id="(?:order|row|payment)-({UUID})"')
ADDRESS = re.compile(r"([\w-]+)@people\.test")
ABOUT = re.compile(rf"/(?:dashboard/)?orders/({UUID})/")
KEPT = re.compile(r"order-|row-|payment-|stock-|numbers$")
"""What does not change by the clock."""
MOST_READ = 60
POLL = 0.1
"""Seconds between two looks at whether all pages are true."""


class Watch:
    """Of all open pages, which are `pages`."""

    def __init__(self, history: History, pages: list[Page]) -> None:
        self.pages = pages
        self.frames = 0
        self._history = history
        self._sent: dict[tuple[int, str], tuple[int, int, int | None]] = {}
        self._seen: defaultdict[str, set[str]] = defaultdict(set)

    def keep(self, page: Page) -> None:
        self.pages.append(page)

    def let_go(self, most: int) -> None:
        """Close the oldest of the shoppers' pages."""
        shoppers = [page for page in self.pages if not is_staffs(page)]
        for page in shoppers[: max(len(self.pages) - most, 0)]:
            self.close(page)

    def close(self, page: Page) -> None:
        self.pages.remove(page)
        self._sent = {key: sent for key, sent in self._sent.items() if key[0] != id(page)}
        page.close()

    # --- each frame, as it comes --------------------------------------------------------------------

    def look(self, page: Page, swaps: Sequence[Swap], frame: str) -> None:
        self.frames += 1
        brought = [swap for swap in swaps if swap.after is not None]
        for swap in brought:
            self._goes_forward(page, swap)
        # A page that is loaded, and a whole list, bring what was there before.
        if frame and len(brought) == 1:
            self._is_new(page, brought[0])
        if not is_staffs(page):
            self._is_hers(page, frame)

    def _goes_forward(self, page: Page, swap: Swap) -> None:
        if swap.before is not None and swap.after is not None and swap.after < swap.before:
            self._history.violation("C", f"{page.path}: {swap.id} went from {swap.before} to {swap.after}")

    def _is_new(self, page: Page, swap: Swap) -> None:
        # By the same connection: one that is new is sent again what changed just before it.
        sent = page.loads, page.closings, swap.after
        if self._sent.get((id(page), swap.id)) == sent:
            self._history.violation("C", f"{page.path}: {swap.id} was sent twice at {swap.after}")
        self._sent[id(page), swap.id] = sent

    def _is_hers(self, page: Page, frame: str) -> None:
        name = page.browser.name
        for address in ADDRESS.findall(frame):
            if address != name:
                self._history.violation("E", f"{name} was sent the address of {address}")
        self._seen[name].update(ORDER_ID.findall(frame))

    def strangers_orders(self, shown: Shown) -> Iterator[str]:
        """Guests whose orders were sent to more than one browser: here each shopper has one."""
        seen_by: defaultdict[tuple[Any, Any], set[str]] = defaultdict(set)
        for name, orders in self._seen.items():
            for public_id in orders & shown.orders.keys():
                order = shown.orders[public_id]
                seen_by[order["user_id"], order["guest_id"]].add(name)
        for names in seen_by.values():
            if len(names) > 1:
                yield f"orders of one guest were sent to {', '.join(sorted(names))}"

    # --- whether they are true ----------------------------------------------------------------------

    async def heal(self, database: Database, is_calm: Callable[[], bool]) -> tuple[list[float], list[str]]:
        """Look from now on, until nobody changes anything any more (`is_calm`) and all pages are true, or one
        has been stale for too long. How long each was stale at most, and what was wrong with those.
        """
        loop = asyncio.get_running_loop()
        since: dict[int, float] = {}
        stale: defaultdict[int, float] = defaultdict(float)
        while True:
            calm, now = is_calm(), loop.time()
            wrong = await self._wrong(database)
            since = {page: since.get(page, now) for page in wrong}
            for page, began in since.items():
                stale[page] = loop.time() - began
            late = [fault for page, fault in wrong.items() if stale[page] > CONVERGED]
            if late or (calm and not wrong):
                return [stale[id(page)] for page in self.pages], late
            await asyncio.sleep(POLL)

    async def _wrong(self, database: Database) -> dict[int, str]:
        """What is wrong, by the page's identity."""
        try:
            shown = await asyncio.to_thread(database.now_shown)
            wrong = self._judged(lambda page: _faults(page, shown))
            if not wrong:  # lists loaded anew cost the shop more than all of the rest
                lists = {page.path: await _rows(page) for page in self._one_of_each_list()}
                wrong = self._judged(lambda page: _list_faults(page, lists))
            return wrong
        except (psycopg.Error, Unreachable) as error:
            return {id(page): f"{page.path}: nobody to ask ({error})" for page in self.pages}

    def _judged(self, judge: Callable[[Page], Iterator[str]]) -> dict[int, str]:
        found = {page: next(judge(page), "") for page in self.pages}
        return {
            id(page): f"{page.browser.name} at {page.path}: {fault}" for page, fault in found.items() if fault
        }

    def _one_of_each_list(self) -> list[Page]:
        return list({page.path: page for page in self.pages if _is_list(page)}.values())

    async def words_differ(self) -> list[str]:
        """What pages say, held against the same pages loaded anew. For when nothing happens any more."""
        differ = []
        for page in self.pages[-MOST_READ:]:
            fresh = Document((await page.browser.get(page.path)).text)
            differ += [
                f"{page.browser.name} at {page.path}: {key} says something else than if it is loaded anew"
                for key in fresh.versions
                if KEPT.match(key) and page.document.text(key) != fresh.text(key)
            ]
        return differ


def is_staffs(page: Page) -> bool:
    return page.path.startswith("/dashboard/")


def _is_list(page: Page) -> bool:
    return page.path.partition("?")[0] == "/dashboard/"


async def _rows(page: Page) -> list[str]:
    """What the list would show if it were loaded now."""
    answer = await page.browser.get(page.path)
    if answer.status != 200:
        raise Unreachable(f"{answer.status}")
    return re.findall(r'<li id="(row-[0-9a-f-]{36})"', answer.text)


def _faults(page: Page, shown: Shown) -> Iterator[str]:
    if not page.open:
        yield f"not connected: {page.status}, {page.closed_with}, {page.stopped or 'trying'}"
    versions = page.document.versions
    for key, version in versions.items():
        kind, _, name = key.partition("-")
        if kind in ("order", "row", "payment") and name in shown.orders:
            if version != shown.orders[name]["version"]:
                yield f"{key} is at {version}, not {shown.orders[name]['version']}"
        elif kind == "stock" and version != shown.products[name]:
            yield f"{key} is at {version}, not {shown.products[name]}"
    if (about := ABOUT.fullmatch(page.path)) and not versions.keys() & {
        f"order-{about[1]}",
        f"payment-{about[1]}",
    }:
        yield "does not show its order"
    if page.path in ("/", "/orders/"):
        rows = {row.partition("-")[2] for row in page.document.rows("orders")}
        if not rows >= shown.of(f"{page.browser.name}@people.test"):
            yield f"lists {len(rows)} orders, and lacks some of its own"


def _list_faults(page: Page, lists: dict[str, list[str]]) -> Iterator[str]:
    if page.path in lists and page.document.rows("payments") != lists[page.path]:
        yield "its rows are not those of the page loaded anew"
