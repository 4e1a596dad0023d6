"""HTML, read into what pushes can change, elements with ids, and the words between them. No browser's parser:
it wants every element closed, as our pages do.
"""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
SILENT = frozenset(["script", "style", "title"])
NOT_SAID = frozenset(["data-version", "data-htmx-powered", "data-idle"])
"""The version is asked for by itself; the others are added by scripts."""


class Node:
    """An element with an id, or one of the frame's `hx-partial`. `parts`: words, and elements with ids."""

    __slots__ = ("attributes", "id", "marks", "parent", "parts", "version")

    def __init__(self, attributes: dict[str, str]) -> None:
        self.attributes = attributes
        self.id = attributes.get("id", "")
        version = attributes.get("data-version", "")
        self.version = int(version) if version.isdecimal() else None
        self.marks = marks(attributes)
        self.parts: list[str | Node] = []
        self.parent: Node | None = None

    @property
    def children(self) -> list["Node"]:
        return [part for part in self.parts if isinstance(part, Node)]

    @property
    def below(self) -> list["Node"]:
        """All of them, itself first."""
        return [self, *(node for child in self.children for node in child.below)]

    def add(self, part: "str | Node") -> None:
        if isinstance(part, Node):
            part.parent = self
        elif self.parts and isinstance(self.parts[-1], str):
            part = f"{self.parts.pop()} {part}"
        self.parts.append(part)

    def copy(self) -> "Node":
        """Of its own, but for attributes and words, which never change."""
        other = Node.__new__(Node)
        other.attributes, other.id, other.version = self.attributes, self.id, self.version
        other.marks, other.parent = self.marks, None
        other.parts = [part if isinstance(part, str) else part.copy() for part in self.parts]
        for child in other.children:
            child.parent = other
        return other

    def words(self, *, versions: bool) -> str:
        own = [f"[data-version={self.version}]"] if versions and self.version is not None else []
        inside = (part if isinstance(part, str) else part.words(versions=versions) for part in self.parts)
        return " ".join(filter(None, [*own, self.marks, *inside]))


def marks(attributes: dict[str, str]) -> str:
    """What of an element's attributes belongs to what it says."""
    return " ".join(
        f"[{name}={value}]"
        for name, value in sorted(attributes.items())
        if name in ("href", "datetime") or (name.startswith("data-") and name not in NOT_SAID)
    )


@dataclass(slots=True)
class Form:
    """`fields` is what a press of its button would send if nobody had touched anything."""

    id: str
    action: str
    attributes: dict[str, str]
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """As hx-ws finds it: what to connect to, and whether a hidden tab lets go of it."""

    address: str
    pauses: bool


class Reader(HTMLParser):
    """Reads a page or a frame at once. `next_hidden` is of the link to the next page; None without one."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.root = Node({})
        self.partials: list[Node] = []
        self.sockets: list[SocketAddress] = []
        self.forms: list[Form] = []
        self.config: dict[str, Any] = {}
        self.next_hidden: bool | None = None
        self._node = self.root
        self._open: list[tuple[str, Node]] = []  # tags, each with the node that it is in
        self._form: Form | None = None
        self._typed = ""  # name of the select or textarea that we are in
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        around = self._node
        if attributes.get("id") or tag == "hx-partial":
            self._node = Node(attributes)
            around.add(self._node)
        if tag == "hx-partial":
            self.partials.append(self._node)
        self._read_form(tag, attributes)
        self._read_rest(tag, attributes)
        if self._node is around and (said := marks(attributes)):
            around.add(said)
        if tag in VOID:
            self._node = around
        else:
            self._open.append((tag, around))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag in ("select", "textarea"):
            self._typed = ""
        if not any(tag == one for one, _ in self._open):
            return
        closed = ""
        while closed != tag:
            closed, self._node = self._open.pop()

    def handle_data(self, data: str) -> None:
        tag = self._open[-1][0] if self._open else ""
        if tag == "textarea" and self._form and self._typed:
            self._form.fields[self._typed] = data.removeprefix("\n")
        elif tag not in SILENT and (words := " ".join(data.split())):
            self._node.add(words)

    def _read_form(self, tag: str, attributes: dict[str, str]) -> None:
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if tag == "form":
            action = attributes.get("action") or attributes.get("hx-post", "")
            self._form = Form(attributes.get("id", ""), action, attributes)
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "input" and name and _counts(attributes):
            self._form.fields[name] = value
        elif tag in ("select", "textarea") and name:
            self._typed = name
            if tag == "textarea":
                self._form.fields[name] = ""
        elif (
            tag == "option"
            and self._typed
            and ("selected" in attributes or self._typed not in self._form.fields)
        ):
            self._form.fields[self._typed] = value

    def _read_rest(self, tag: str, attributes: dict[str, str]) -> None:
        if "hx-ws:connect" in attributes:
            ws = json.loads(attributes.get("hx-config", "{}")).get("ws", {})
            self.sockets.append(SocketAddress(attributes["hx-ws:connect"], ws.get("pauseOnBackground", True)))
        elif tag == "meta" and attributes.get("name") == "htmx-config":
            self.config = json.loads(attributes["content"])
        elif attributes.get("rel") == "next" and self.next_hidden is None:
            self.next_hidden = "hidden" in attributes


def _counts(attributes: dict[str, str]) -> bool:
    if attributes.get("type") in ("radio", "checkbox"):
        return "checked" in attributes
    return attributes.get("type") not in ("submit", "button", "image", "reset", "file")
