"""Draw the tables of shop/models/moves.py for docs/states.md; a test fails where they differ."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models import TextChoices

from shop.management.drawing import Box, Move, picture
from shop.models import DisputeStatus, FulfilmentStatus, Order, PaymentStatus, RefundStatus
from shop.models.fulfilment import Fulfilment
from shop.models.moves import MOVES, UNDO

DRAWINGS = settings.BASE_DIR / "docs" / "states"

VERBS_OF: dict[type[TextChoices], type] = {PaymentStatus: Order, FulfilmentStatus: Fulfilment}
"""Where a verb for each move is; the others follow whatever Stripe says."""
BACK: dict[type[TextChoices], set[Move]] = {
    FulfilmentStatus: {(str(after), str(before)) for after, before in UNDO.items()}
}


class Command(BaseCommand):
    help = "Draw docs/states/*.svg anew, from the tables of allowed moves."

    def handle(self, *args: Any, **options: Any) -> None:
        DRAWINGS.mkdir(exist_ok=True)
        for path, content in drawings():
            path.write_text(content)
            self.stdout.write(str(path.relative_to(settings.BASE_DIR)))


def drawings() -> Iterator[tuple[Path, str]]:
    """Files, and what has to be in them."""
    for kind in (PaymentStatus, FulfilmentStatus, RefundStatus, DisputeStatus):
        name = kind.__name__.removesuffix("Status")
        moves = [(str(one), str(other)) for one in kind for other in kind if other in MOVES[kind][one]]
        if kind in VERBS_OF:
            verbs = _verbs(VERBS_OF[kind], kind)
            boxes = {
                str(state): Box(str(state.label), ", ".join(verbs.get(state.name, []))) for state in kind
            }
        else:
            moves = _without_shortcuts(moves)
            boxes = {str(state): Box(str(state.label), str(state)) for state in kind}
        title = f"{name}: which state may follow which"
        yield DRAWINGS / f"{name.lower()}.svg", picture(title, boxes, moves, BACK.get(kind, set()))


def _verbs(owner: type, kind: type[TextChoices]) -> dict[str, list[str]]:
    """State's name → the verbs that lead to it, by their source: that cannot be out of date."""
    found: dict[str, list[str]] = {}
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    verbs = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
    for verb in verbs:
        for call in ast.walk(verb):
            for state in _states(call, kind):
                found.setdefault(state, []).append(verb.name)
    return found


def _states(call: ast.AST, kind: type[TextChoices]) -> Iterator[str]:
    """Of `self._move(Kind.STATE, …)` and the like, and of `change(after=Kind.STATE)`."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return
    moves = call.func.attr in ("_move", "_end", "_fulfil")
    for argument in [
        *(call.args[:1] if moves else []),
        *(k.value for k in call.keywords if k.arg == "after"),
    ]:
        if isinstance(argument, ast.Attribute) and ast.unparse(argument.value) == kind.__name__:
            yield argument.attr


def _without_shortcuts(moves: list[Move]) -> list[Move]:
    """Those that no other two add up to: Stripe's news may come late, so each state may be passed over."""
    return [
        (before, after)
        for before, after in moves
        if not any((before, between) in moves and (between, after) in moves for _start, between in moves)
    ]
