"""The pictures in docs/states.md say what the tables of allowed moves say."""

import re

import pytest
from django.conf import settings

from shop.management.commands.draw_moves import DRAWINGS, drawings
from shop.models import FulfilmentStatus, PaymentStatus
from shop.models.moves import MOVES

DRAWN = dict(drawings())


@pytest.mark.parametrize("path", DRAWN, ids=lambda path: path.stem)
def test_a_picture_is_what_its_table_gives(path):
    assert path.read_text() == DRAWN[path], "manage.py draw_moves draws it anew"


def test_every_table_has_its_picture_in_the_document():
    document = (settings.BASE_DIR / "docs" / "states.md").read_text()
    shown = re.findall(r"^!\[.+\]\(states/(.+)\)$", document, re.MULTILINE)

    assert shown == [path.name for path in DRAWN]
    assert {path.name for path in DRAWINGS.iterdir()} == set(shown)
    assert len(shown) == len(MOVES)


@pytest.mark.parametrize("kind", [PaymentStatus, FulfilmentStatus], ids=lambda kind: kind.__name__)
def test_every_state_and_every_move_is_drawn(kind):
    [picture] = [content for path, content in DRAWN.items() if kind.__name__.lower().startswith(path.stem)]

    assert set(map(str, kind.labels)) <= set(re.findall("<text[^>]*>([^<]*)</text>", picture))
    assert picture.count('<path class="move') == sum(map(len, MOVES[kind].values()))


def test_the_verbs_that_lead_to_a_state_are_below_it():
    payment = DRAWN[DRAWINGS / "payment.svg"]
    below = re.findall(r"<text x=[^>]*>([^<]*)</text><text class=\"by\"[^>]*>([^<]*)</text>", payment)

    assert dict(below)["Paid"] == "mark_paid"
    assert dict(below)["Cancelled"] == dict(below)["Expired"] == "expire"
    assert all(verbs for _state, verbs in below), "nothing comes about by itself"
