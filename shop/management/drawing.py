"""Pictures of states and the moves between them, as SVG: boxes in rows, and arrows that cross no box.

The usual way, Sugiyama's: an arrow that passes a row gets a place in it, rows are sorted by where their
neighbours are, and then pulled towards them. https://en.wikipedia.org/wiki/Layered_graph_drawing
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from statistics import fmean

Move = tuple[str, str]

BOX, ROW, GAP, MARGIN, LETTER = 48, 116, 24, 24, 8
"""Pixels: height of a box, from row to row, between boxes, around everything, width of a letter."""
PORTS = 18
"""Pixels between two arrows at one box."""

STYLE = """
svg { --paper: #fbf8f2; --box: #fff; --ink: #28231d; --soft: #6a6156; --line: #0d655e; --back: #a05a1c }
@media (prefers-color-scheme: dark) {
  svg { --paper: #161513; --box: #24211c; --ink: #e9e3d8; --soft: #aaa195; --line: #57b8ac; --back: #dd9a57 }
}
.paper { fill: var(--paper) }
.box { fill: var(--box); stroke: var(--line); stroke-width: 1.5 }
.last { stroke-width: 3.5 }
text { font: 600 14px system-ui, sans-serif; text-anchor: middle; fill: var(--ink) }
.by { font: 12px ui-monospace, monospace; fill: var(--soft) }
.move { fill: none; stroke: var(--line); stroke-width: 1.5 }
.back { stroke: var(--back); stroke-dasharray: 6 4 }
.tip { fill: var(--line) }
.back-tip { fill: var(--back) }
"""


@dataclass(frozen=True)
class Box:
    """`by`: what is written below the name."""

    name: str
    by: str


@dataclass(eq=False)
class Place:
    """A box's, or that of an arrow which passes its row. `x` is the middle."""

    width: float = 0
    row: int = 0
    x: float = 0
    above: "list[Place]" = field(default_factory=list)
    below: "list[Place]" = field(default_factory=list)


@dataclass(frozen=True)
class Arrow:
    """`way` leads downwards; the arrow leads up if it is `back`."""

    way: list[Place]
    back: bool


def picture(
    title: str, boxes: Mapping[str, Box], moves: Sequence[Move], back: Collection[Move] = frozenset()
) -> str:
    """An SVG file. `boxes` by state, in the order of a life; `back`: those of the moves that lead back."""
    places = {state: Place(LETTER * max(len(box.name), len(box.by)) + GAP) for state, box in boxes.items()}
    forward = [move for move in moves if move not in back]
    for _ in places:  # as many times as the longest way may be long
        for before, after in forward:
            places[after].row = max(places[after].row, places[before].row + 1)
    arrows = [_arrow(places, move, move in back) for move in moves]
    every = dict.fromkeys([*places.values(), *(place for arrow in arrows for place in arrow.way)])
    rows = [[place for place in every if place.row == row] for row in range(1 + max(p.row for p in every))]
    _sort(rows)
    _pull(rows)
    ends = set(boxes) - {before for before, _after in moves}
    drawn = [_drawn_arrow(arrow) for arrow in arrows]
    drawn += [_drawn_box(boxes[state], place, last=state in ends) for state, place in places.items()]
    told = "; ".join(f"{boxes[before].name} → {boxes[after].name}" for before, after in moves)
    return _file(title, told, drawn, rows)


# --- where everything is ----------------------------------------------------------------------------


def _arrow(places: Mapping[str, Place], move: Move, back: bool) -> Arrow:
    top, bottom = (places[state] for state in (reversed(move) if back else move))
    way = [top, *(Place(row=row) for row in range(top.row + 1, bottom.row)), bottom]
    for upper, lower in pairwise(way):
        upper.below.append(lower)
        lower.above.append(upper)
    return Arrow(way, back)


def _sort(rows: list[list[Place]]) -> None:
    for turn in range(12):
        for row in rows if turn % 2 else rows[::-1]:
            at = {place: index for one in rows for index, place in enumerate(one)}
            near = {place: (place.above if turn % 2 else place.below) or [place] for place in row}
            row.sort(key=lambda place: fmean(at[other] for other in near[place]))


def _pull(rows: list[list[Place]]) -> None:
    for row in rows:
        for left, right in pairwise(row):
            right.x = left.x + _apart(left, right)
    for turn in range(40):
        for row in rows if turn % 2 else rows[::-1]:
            for place in row:
                near = (place.above if turn % 2 else place.below) or [place]
                place.x = fmean(other.x for other in near)
            for _ in range(8 * len(row)):
                for left, right in pairwise(row):
                    push = max(0, _apart(left, right) - (right.x - left.x)) / 2
                    left.x, right.x = left.x - push, right.x + push


def _apart(left: Place, right: Place) -> float:
    return (left.width + right.width) / 2 + GAP


# --- how it looks -----------------------------------------------------------------------------------


def _drawn_box(box: Box, place: Place, *, last: bool) -> str:
    x, y = place.x, place.row * ROW
    left, kind = round(x - place.width / 2), "box last" if last else "box"
    return (
        f'<rect class="{kind}" x="{left}" y="{y}" width="{round(place.width)}" height="{BOX}" rx="9"/>'
        f'<text x="{round(x)}" y="{y + 21}">{escape(box.name)}</text>'
        f'<text class="by" x="{round(x)}" y="{y + 38}">{escape(box.by)}</text>'
    )


def _drawn_arrow(arrow: Arrow) -> str:
    path = ""
    for upper, lower in pairwise(arrow.way):
        x1 = _port(upper, upper.below, lower, arrow.back)
        x2 = _port(lower, lower.above, upper, arrow.back)
        y1, y2 = upper.row * ROW + BOX, lower.row * ROW
        path += f"{'L' if path else 'M'}{x1} {y1}C{x1} {(y1 + y2) // 2} {x2} {(y1 + y2) // 2} {x2} {y2}"
    look = (
        'class="move back" marker-start="url(#back-tip)"'
        if arrow.back
        else 'class="move" marker-end="url(#tip)"'
    )
    return f'<path {look} d="{path}"/>'


def _port(place: Place, side: list[Place], other: Place, back: bool) -> int:
    """Where an arrow from or to the other place touches this one; the way back is beside the way there."""
    in_line = sorted(side, key=lambda neighbour: neighbour.x)
    index = in_line.index(other) + (back and in_line.count(other) > 1)
    return round(place.x + (index - (len(side) - 1) / 2) * PORTS)


def _file(title: str, told: str, drawn: list[str], rows: list[list[Place]]) -> str:
    every = [place for row in rows for place in row]
    left = round(min(place.x - place.width / 2 for place in every)) - MARGIN
    width = round(max(place.x + place.width / 2 for place in every)) + MARGIN - left
    height = (len(rows) - 1) * ROW + BOX + 2 * MARGIN
    tips = "".join(
        f'<marker id="{tip}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"'
        f' orient="auto-start-reverse"><path class="{tip}" d="M0 0 10 5 0 10z"/></marker>\n'
        for tip in ("tip", "back-tip")
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="{left} {-MARGIN} {width} {height}" role="img" aria-labelledby="title told">\n'
        f'<title id="title">{escape(title)}</title>\n<desc id="told">{escape(told)}</desc>\n'
        f"<style>{STYLE}</style>\n<defs>{tips}</defs>\n"
        f'<rect class="paper" x="{left}" y="{-MARGIN}" width="{width}" height="{height}" rx="12"/>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )
