"""A page's live parts, changed by frames as a browser changes them.

What htmx 4, hx-ws and hx-upsert do with a frame, and what static/live.js and static/rows.js add to it, in
Python: for what our frames ask of them, and nothing else. test_dom.py holds it against a real browser.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from tests.faults.markup import Form, Node, Reader, SocketAddress

# As in live.js, whose \w and \d know ASCII only.
TARGET = re.compile(r' hx-target="#([\w-]+)', re.ASCII)
VERSION = re.compile(r' id="([\w-]+)"[^>]* data-version="(\d+)"', re.ASCII)


class Swap(NamedTuple):
    """A state that a page was offered: version `after` of the element `id`, instead of version `before`.

    `before` is None if it was not on the page, `after` if it has left the page. `shown_already`: the frame
    was dropped: the page shows just this (live.js). Without `has_place` there is nowhere to put it.
    """

    id: str
    before: int | None
    after: int | None
    shown_already: bool = False
    has_place: bool = True


@dataclass(frozen=True, slots=True)
class Partial:
    """`key` is the attribute that upsert sorts by. `nodes` are no page's: copies of them are."""

    targets: tuple[str, ...]
    style: str
    key: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Push:
    """A frame, read. `offers`: ids and versions. `replaces`: what it is for and brings, in which version; as
    live.js finds it."""

    partials: tuple[Partial, ...]
    offers: tuple[tuple[str, int], ...]
    replaces: tuple[str, str, int] | None


class Document:
    """`sockets` and `config` (htmx's) are as loaded. `wants_refill` says whether after the last frame a list
    had room for rows of the next page, which rows.js fetches a second later."""

    def __init__(self, html: str) -> None:
        page = Reader(html)
        self.addresses: list[SocketAddress] = page.sockets
        self.config: dict[str, Any] = page.config
        self.forms: list[Form] = page.forms
        self.wants_refill = False
        self._next_hidden = page.next_hidden
        self._elements: dict[str, list[Node]] = {}  # by id, in the order in which they came
        self._lists: list[Node] = []  # those with a data-most
        self._gone: dict[str, int] = {}  # versions that a swap took away
        for node in page.root.children:
            self._enter(node)

    @property
    def sockets(self) -> list[str]:
        return [one.address for one in self.addresses]

    @property
    def csrf_token(self) -> str:
        tokens = (one.fields.get("csrfmiddlewaretoken") for one in self.forms)
        return next((token for token in tokens if token), "")

    @property
    def versions(self) -> dict[str, int]:
        found = ((key, nodes[0].version) for key, nodes in self._elements.items())
        return {key: version for key, version in found if version is not None}

    @property
    def ids(self) -> Iterable[str]:
        return self._elements.keys()

    @property
    def doubled(self) -> list[str]:
        """Ids that are on the page more than once."""
        return [key for key, nodes in self._elements.items() if len(nodes) > 1]

    def __contains__(self, key: str) -> bool:
        return key in self._elements

    def text(self, key: str, *, versions: bool = False) -> str:
        """What the element says, with its data-, href and datetime attributes; empty if it is not there."""
        node = self._find(key)
        return node.words(versions=versions) if node else ""

    def attribute(self, key: str, name: str) -> str | None:
        """Of the element itself."""
        node = self._find(key)
        return node.attributes.get(name) if node else None

    def rows(self, key: str) -> list[str]:
        """Ids of a list's children, in order."""
        node = self._find(key)
        return [child.id for child in node.children] if node else []

    def form(self, wanted: str) -> Form | None:
        """By its id, or by how its address ends."""
        return next((one for one in self.forms if one.id == wanted or one.action.endswith(wanted)), None)

    def apply(self, frame: str) -> list[Swap]:
        """Every versioned element that the frame brings, then those that it takes away.

        Raises ValueError for a swap that our frames did not ask for when this was written.
        """
        self.wants_refill = False
        if frame.startswith("{"):
            return []  # a word of the server's, without content
        push = read(frame)
        if push.replaces and self._shows(*push.replaces):
            return [
                Swap(key, self._version(key), version, shown_already=True) for key, version in push.offers
            ]
        has_place = any(target in self for one in push.partials for target in one.targets)
        before = [(key, self._version(key), version, False, has_place) for key, version in push.offers]
        whole = False
        for partial in push.partials:
            whole |= self._swap(partial)
        self._tidy(whole=whole)
        return [*(Swap(*one) for one in before), *self._taken_away()]

    def refill(self, html: str) -> list[Swap]:
        """What rows.js does with the page fetched anew. All of it that is on the page then is an offer."""
        self.wants_refill = False
        page = Reader(html)
        old = self._find("page")
        new = next((node for node in page.root.below if node.id == "page"), None)
        if old is None or new is None:
            return []
        before = [
            Swap(one.id, self._version(one.id), one.version) for one in new.below if one.version is not None
        ]
        self._replace(old, [new])
        self._next_hidden = page.next_hidden
        self._tidy(whole=False)
        return [*before, *self._taken_away()]

    # --- htmx ------------------------------------------------------------------------------------------

    def _swap(self, partial: Partial) -> bool:
        """Returns whether all of a list was replaced."""
        targets = [node for key in partial.targets if (node := self._find(key))]
        match partial.style:
            case "upsert":
                self._upsert(targets, partial)
            case "outerMorph":
                for target in targets:
                    self._replace(target, _copies(partial.nodes))
            case "innerMorph":
                for target in targets:
                    self._fill(target, _copies(partial.nodes))
                return any("data-most" in target.attributes for target in targets)
            case "delete":
                for target in targets:
                    self._remove(target)
            case style:
                raise ValueError(f"No page of ours was pushed {style!r} before")
        return False

    def _upsert(self, targets: list[Node], partial: Partial) -> None:
        """As rows.js arranges it for hx-upsert: what moved leaves its place first."""
        for node in _copies(partial.nodes) if targets else []:
            shown = self._find(node.id)
            rows = next((target for target in targets if target is not shown), None)
            moved = shown and node.attributes.get("data-placed") != shown.attributes.get("data-placed")
            if shown and not (rows and moved):
                self._replace(shown, [node])
            elif rows:
                if shown:
                    self._remove(shown)
                self._insert(rows, node, partial.key)

    def _insert(self, rows: Node, node: Node, key: str) -> None:
        place = _place(node, key)
        after = next(
            (at for at, one in enumerate(rows.parts) if isinstance(one, Node) and _place(one, key) < place),
            None,
        )
        rows.parts.insert(len(rows.parts) if after is None else after, node)
        node.parent = rows
        self._enter(node)

    # --- rows.js ---------------------------------------------------------------------------------------

    def _tidy(self, *, whole: bool) -> None:
        for rows in self._lists:
            most = int(rows.attributes["data-most"])
            shown = [row for row in rows.children if not _is_hidden(row)]
            for row in shown[most:]:
                self._remove(row)
            if self._next_hidden is None:
                continue
            if len(shown) > most:
                self._next_hidden = False
            elif whole:
                self._next_hidden = len(shown) < most
            elif len(shown) < most and not self._next_hidden:
                self.wants_refill = True

    # --- live.js ---------------------------------------------------------------------------------------

    def _shows(self, target: str, brought: str, version: int) -> bool:
        return brought == target and self._version(brought) == version

    # --- the tree --------------------------------------------------------------------------------------

    def _find(self, key: str) -> Node | None:
        return self._elements[key][0] if key in self._elements else None

    def _version(self, key: str) -> int | None:
        node = self._find(key)
        return node.version if node else None

    def _replace(self, old: Node, new: list[Node]) -> None:
        around = old.parent
        assert around is not None
        at = around.parts.index(old)
        self._leave(old)
        around.parts[at : at + 1] = new
        for node in new:
            node.parent = around
            self._enter(node)

    def _fill(self, target: Node, new: list[Node]) -> None:
        for child in target.children:
            self._leave(child)
        target.parts = []
        for node in new:
            target.add(node)
            self._enter(node)

    def _remove(self, node: Node) -> None:
        self._replace(node, [])

    def _enter(self, node: Node) -> None:
        for one in node.below:
            self._elements.setdefault(one.id, []).append(one)
            if "data-most" in one.attributes:
                self._lists.append(one)

    def _leave(self, node: Node) -> None:
        for one in node.below:
            nodes = self._elements[one.id]
            nodes.remove(one)
            if not nodes:
                del self._elements[one.id]
            if one in self._lists:
                self._lists.remove(one)
            if one.version is not None:
                self._gone[one.id] = one.version

    def _taken_away(self) -> Iterable[Swap]:
        gone, self._gone = self._gone, {}
        return [Swap(key, version, None) for key, version in gone.items() if key not in self._elements]


@lru_cache(256)  # most frames go to many pages
def read(frame: str) -> Push:
    partials = Reader(frame).partials
    offers = [
        (one.id, one.version) for partial in partials for one in partial.below if one.version is not None
    ]
    target, shown = TARGET.search(frame), VERSION.search(frame)
    replaces = (target[1], shown[1], int(shown[2])) if target and shown else None
    return Push(tuple(_partial(one) for one in partials), tuple(offers), replaces)


def _partial(node: Node) -> Partial:
    targets = tuple(one.strip().removeprefix("#") for one in node.attributes["hx-target"].split(","))
    style, *modifiers = node.attributes["hx-swap"].split()
    if style == "upsert" and "sort:desc" not in modifiers:
        raise ValueError("No page of ours was pushed an upsert in another order before")
    key = next((one.removeprefix("key:") for one in modifiers if one.startswith("key:")), "id")
    return Partial(targets, style, key, tuple(node.children))


def _copies(nodes: tuple[Node, ...]) -> list[Node]:
    return [node.copy() for node in nodes]


def _place(node: Node, key: str) -> tuple[int, ...]:
    """What localeCompare with `numeric` goes by, for numbers with as many digits behind the point."""
    return tuple(int(number) for number in re.findall(r"\d+", node.attributes.get(key, "")))


def _is_hidden(row: Node) -> bool:
    """By shopbell.css: rows.js does not count it."""
    assert row.parent is not None
    if "order-list-kept" not in row.parent.attributes.get("class", "").split():
        return False
    words = row.words(versions=False)
    return "[data-payment-status=expired]" in words or "[data-payment-status=cancelled]" in words
