"""Everybody's eyes: whether what open pages are sent only goes forward, is theirs, and ends up true."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tests.faults.browser import Page, Unreachable
from tests.faults.dom import Swap
from tests.faults.history import History
from tests.faults.truth import Database, Shown

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ORDER_ID = re.compile(rf'id="(?:order|row|payment)-({UUID})"')
ADDRESS = re.compile(r"([\w-]+)@people\.test")
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
        if (
            frame and len(brought) == 1
        ):  # a page that is loaded, and a whole list, bring what was there before
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

    async def converge(
        self, database: Database, healed: float, seconds: float
    ) -> tuple[list[float], list[str]]:
        """When after `healed`, by the loop's clock, each page became true, and what is wrong in the end."""
        loop = asyncio.get_running_loop()
        true_since: dict[int, float] = {}
        while True:
            passed = loop.time() - healed
            wrong = await self._wrong(database)
            for page in self.pages:
                if id(page) in wrong:
                    true_since.pop(id(page), None)
                else:
                    true_since.setdefault(id(page), passed)
            if not wrong or passed > seconds:
                return list(true_since.values()), list(wrong.values())
            await asyncio.sleep(POLL)

    async def _wrong(self, database: Database) -> dict[int, str]:
        """What is wrong, by the page's identity."""
        try:
            shown = await asyncio.to_thread(database.now_shown)
            lists = {page.path: await _rows(page) for page in self._one_of_each_list()}
        except (OSError, Unreachable) as error:
            return {id(page): f"{page.path}: nobody to ask ({error})" for page in self.pages}
        owned = shown.by_owner()
        wrong = {}
        for page in self.pages:
            fault = next(_faults(page, shown, owned, lists), None)
            if fault:
                wrong[id(page)] = f"{page.browser.name} at {page.path}: {fault}"
        return wrong

    def _one_of_each_list(self) -> list[Page]:
        return list({page.path: page for page in self.pages if _is_list(page)}.values())


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


def _faults(
    page: Page, shown: Shown, owned: dict[tuple[Any, Any], list[str]], lists: dict[str, list[str]]
) -> Iterator[str]:
    if not page.open:
        yield f"not connected: {page.status}, {page.closed_with}, {page.stopped or 'trying'}"
    for key, version in page.document.versions.items():
        kind, _, name = key.partition("-")
        if kind in ("order", "row", "payment") and name in shown.orders:
            if version != shown.orders[name]["version"]:
                yield f"{key} is at {version}, not {shown.orders[name]['version']}"
        elif kind == "stock" and version != shown.products[name]:
            yield f"{key} is at {version}, not {shown.products[name]}"
    if page.path in lists and page.document.rows("payments") != lists[page.path]:
        yield "its rows are not those of the page loaded anew"
    if page.path in ("/", "/orders/"):
        yield from _missing(page, owned)


def _missing(page: Page, owned: dict[tuple[Any, Any], list[str]]) -> Iterator[str]:
    """Of a shopper's own orders: she has few, so her list shows all of them."""
    rows = {row.partition("-")[2] for row in page.document.rows("orders")}
    for orders in owned.values():
        if rows & set(orders) and rows != set(orders):
            yield f"lists {len(rows)} of {len(orders)} orders"
