"""Everybody's eyes: whether what open pages are sent only goes forward, is theirs, and ends up true."""

import asyncio
import re
import time
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
LISTS_PACE = 1.0
"""The same for lists, while something else is wrong."""


class Watch:
    """Of all open pages, which are `pages`."""

    def __init__(self, history: History, pages: list[Page]) -> None:
        self.pages = pages
        self._history = history
        self._sent: dict[tuple[Page, str], tuple[int, int, int | None]] = {}
        self._newest: dict[tuple[Page, str], tuple[int, int]] = {}
        """The load in which a page was offered most of an element, and the version."""
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self._lists_judged_at = 0.0

    def keep(self, page: Page) -> None:
        self.pages.append(page)
        page.on_closed = self._is_closed

    def let_go(self, most: int) -> None:
        """Close the oldest of the shoppers' pages."""
        shoppers = [page for page in self.pages if not is_staffs(page)]
        for page in shoppers[: max(len(self.pages) - most, 0)]:
            self.close(page)

    def close(self, page: Page) -> None:
        self.pages.remove(page)
        self._sent = {key: sent for key, sent in self._sent.items() if key[0] is not page}
        self._newest = {key: newest for key, newest in self._newest.items() if key[0] is not page}
        page.close()

    # --- whatever a page shows, as it comes ---------------------------------------------------------

    def look(self, page: Page, swaps: Sequence[Swap], html: str, pushed: bool) -> None:
        brought = [swap for swap in swaps if swap.after is not None]
        for swap in brought:
            self._goes_forward(page, swap)
        # A whole list brings what was there before.
        if pushed and len(brought) == 1:
            self._is_new(page, brought[0])
        if not is_staffs(page):
            self._is_hers(page, html)

    def _goes_forward(self, page: Page, swap: Swap) -> None:
        """Also if it was taken away meanwhile."""
        if swap.after is None or swap.shown_already or not swap.has_place:
            return
        load, newest = self._newest.get((page, swap.id), (0, 0))
        before = max(swap.before or 0, newest if load == page.loads else 0)
        if swap.after < before:
            self._history.violation("C", f"{page.path}: {swap.id} went from {before} to {swap.after}")
        self._newest[page, swap.id] = page.loads, max(before, swap.after)

    def _is_new(self, page: Page, swap: Swap) -> None:
        # By the same connection: one that is new is sent again what changed just before it.
        sent = page.loads, page.connections, swap.after
        if self._sent.get((page, swap.id)) == sent:
            self._history.violation("C", f"{page.path}: {swap.id} was sent twice at {swap.after}")
        self._sent[page, swap.id] = sent

    def _is_closed(self, page: Page, code: int) -> None:
        self._history.note_asked("closed", "page", self._history.now(), code=code, path=page.path)

    def all_list(self, public_id: str) -> bool:
        """Whether all dashboards show this payment."""
        lists = [page for page in self.pages if page.path in ("/dashboard/", "/dashboard/?status=paid")]
        return all(f"row-{public_id}" in page.document.versions for page in lists)

    def _is_hers(self, page: Page, html: str) -> None:
        name = page.browser.name
        for address in ADDRESS.findall(html):
            if address != name:
                self._history.violation("E", f"{name} was shown the address of {address}")
        self._seen[name].update(ORDER_ID.findall(html))

    def strangers_orders(self, shown: Shown) -> Iterator[str]:
        """Guests whose orders more than one browser was shown: each shopper has one, and gives its name as
        her address when she pays.
        """
        seen_by: defaultdict[tuple[Any, Any], set[str]] = defaultdict(set)
        for order in shown.orders.values():
            seen_by[order["user_id"], order["guest_id"]].update(ADDRESS.findall(order["email"]))
        for name, orders in self._seen.items():
            for public_id in orders & shown.orders.keys():
                order = shown.orders[public_id]
                seen_by[order["user_id"], order["guest_id"]].add(name)
        for names in seen_by.values():
            if len(names) > 1:
                yield f"orders of one guest were shown to {', '.join(sorted(names))}"

    # --- whether they are true ----------------------------------------------------------------------

    async def heal(self, database: Database, is_calm: Callable[[], bool]) -> tuple[list[float], list[str]]:
        """Look from now on, until nobody changes anything any more (`is_calm`) and all pages are true, or one
        has been stale for too long. How long each was stale at most, and what was wrong with those.
        """
        loop = asyncio.get_running_loop()
        since: dict[Page, float] = {}
        stale: defaultdict[Page, float] = defaultdict(float)
        while True:
            calm, now = is_calm(), loop.time()
            wrong, left_out = await self._wrong(database)
            since = {page: since.get(page, now) for page in wrong} | {
                page: began for page, began in since.items() if page in left_out
            }
            for page in wrong:
                stale[page] = max(stale[page], loop.time() - since[page])
            late = [fault for page, fault in wrong.items() if loop.time() - since[page] > CONVERGED]
            if late or (calm and not wrong):
                return [stale[page] for page in self.pages], late
            await asyncio.sleep(POLL)

    async def _wrong(self, database: Database) -> tuple[dict[Page, str], set[Page]]:
        """What is wrong with which page, and of which nobody can say yet."""
        try:
            shown = await asyncio.to_thread(database.now_shown)
            wrong = self._judged(lambda page: _faults(page, shown))
            lists = {page for page in self.pages if _is_list(page)} - wrong.keys()
            # Lists loaded anew cost the shop more than all of the rest.
            if wrong and time.monotonic() - self._lists_judged_at < LISTS_PACE:
                return wrong, lists
            fresh = {path: await _loaded(page) for path, page in {page.path: page for page in lists}.items()}
            self._lists_judged_at = time.monotonic()
            return wrong | self._judged(lambda page: _list_faults(page, fresh)), set()
        except (psycopg.Error, Unreachable) as error:
            return {page: f"{page.path}: nobody to ask ({error})" for page in self.pages}, set()

    def _judged(self, judge: Callable[[Page], Iterator[str]]) -> dict[Page, str]:
        found = {page: next(judge(page), "") for page in self.pages}
        return {
            page: f"{page.browser.name} at {page.path}: {fault}" for page, fault in found.items() if fault
        }

    async def words_differ(self) -> list[str]:
        """What pages say, held against the same pages loaded anew. For when nothing happens any more."""
        differ = []
        for page in [*filter(is_staffs, self.pages), *self.pages[-MOST_READ:]]:
            answer = await page.browser.get(page.path)
            fresh = Document(answer.text)
            if answer.status != 200:
                differ.append(f"{_who(page)}: is answered with {answer.status} if it is loaded anew")
            differ += [
                f"{_who(page)}: {key} says something else than if it is loaded anew"
                for key in fresh.versions.keys() | page.document.versions.keys()
                if KEPT.match(key) and page.document.text(key) != fresh.text(key)
            ]
        return differ


def is_staffs(page: Page) -> bool:
    return page.path.startswith("/dashboard/")


def _who(page: Page) -> str:
    return f"{page.browser.name} at {page.path}"


def _is_list(page: Page) -> bool:
    return page.path.partition("?")[0] in ("/dashboard/", "/dashboard/webhooks/")


async def _loaded(page: Page) -> Document:
    """What the list would show if it were loaded now."""
    answer = await page.browser.get(page.path)
    if answer.status != 200:
        raise Unreachable(f"{answer.status}")
    return Document(answer.text)


def _listed(document: Document) -> list[str]:
    """Payments in their order, deliveries, open checkouts, and the sums."""
    others = [key for key in document.ids if key.startswith(("delivery-", "checkout-"))]
    return [*document.rows("payments"), *sorted(others), document.text("numbers")]


def _faults(page: Page, shown: Shown) -> Iterator[str]:
    if not page.open:
        yield f"not connected: {page.status}, {page.closed_with}, {page.stopped or 'trying'}"
    if page.document.doubled:
        yield f"has {', '.join(page.document.doubled)} twice"
    versions = page.document.versions
    for key, version in versions.items():
        kind, _, name = key.partition("-")
        if kind in ("order", "row", "payment"):
            if name not in shown.orders:
                yield f"{key} is of no order"
            elif version != shown.orders[name]["version"]:
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


def _list_faults(page: Page, fresh: dict[str, Document]) -> Iterator[str]:
    if page.path not in fresh:
        return
    wanted, rows = _listed(fresh[page.path]), _listed(page.document)
    if rows != wanted:
        lacks, surplus = sorted(set(wanted) - set(rows)), sorted(set(rows) - set(wanted))
        yield f"loaded anew it has {len(wanted)} rows: it lacks {lacks}, and has {surplus} beside them"
