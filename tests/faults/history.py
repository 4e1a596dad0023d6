"""What happened in a run, line by line: enough to tell afterwards who was promised what."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO


class History:
    """A file of JSON lines, each with `t`, the seconds since the run began, and `what`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self.trouble = ""
        """What is going on, or has just been. A line says so, unless it says what was when it began."""
        self._file: TextIO = path.open("w", buffering=1)
        self._began = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._began

    def note(self, what: str, **facts: Any) -> None:
        self.counts[what] += 1
        self._file.write(
            json.dumps({"t": round(self.now(), 3), "what": what, "during": self.trouble, **facts}) + "\n"
        )

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
