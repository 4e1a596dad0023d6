"""What happened in a run, line by line: enough to tell afterwards who was promised what."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO


@dataclass(slots=True)
class _Spell:
    """In which a trouble could be felt; in seconds since the run began."""

    trouble: str
    may_fail: frozenset[str]
    began: float
    ended: float = math.inf


class History:
    """A file of JSON lines, each with `t`, the seconds since the run began, and `what`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self._spells: list[_Spell] = []
        self._file: TextIO = path.open("w", buffering=1)
        self._began = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._began

    # --- troubles -----------------------------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is broken, nor was just now."""
        return not self._spells or self._spells[-1].ended < self.now()

    def trouble_begins(self, name: str, may_fail: frozenset[str]) -> None:
        """`may_fail`: kinds of what is asked that need not work until it is over."""
        self._spells.append(_Spell(name, may_fail, self.now()))

    def trouble_is_over(self, *, felt_for: float) -> None:
        """It is mended; what it may still make fail has so many seconds to come right."""
        self.note("healed", trouble=self._spells[-1].trouble)
        self._spells[-1].ended = self.now() + felt_for

    # --- lines --------------------------------------------------------------------------------------

    def note(self, what: str, **facts: Any) -> None:
        if not self.is_quiet:
            facts.setdefault("during", self._spells[-1].trouble)
        self._write(what, facts)

    def note_asked(self, what: str, of: str, since: float, **facts: Any) -> None:
        """Somebody asked, `since` then, and it ended now. A trouble at any time in between may explain it."""
        spells = [spell for spell in self._spells if spell.ended > since]
        during = spells[0].trouble if spells else ""
        excused = any(of in spell.may_fail for spell in spells)
        seconds = round(self.now() - since, 4)
        self._write(what, {"of": of, "seconds": seconds, "during": during, "excused": excused, **facts})

    def _write(self, what: str, facts: dict[str, Any]) -> None:
        self.counts[what] += 1
        self._file.write(json.dumps({"t": round(self.now(), 3), "what": what, **facts}) + "\n")

    def violation(self, letter: str, text: str) -> None:
        """A promise is broken: `letter` is its own in promises.py."""
        self.violations.append(f"{letter}: {text}")
        self.note("violation", letter=letter, text=text)

    def of(self, *kinds: str) -> Iterator[dict[str, Any]]:
        with self.path.open() as lines:
            for line in lines:
                entry = json.loads(line)
                if entry["what"] in kinds:
                    yield entry

    def close(self) -> None:
        self._file.close()
