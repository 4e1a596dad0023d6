"""docs/security.md: what it names exists, and it leaves nothing out."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "security.md").read_text()

# Of ASVS 5.0.0: the requirements of levels 1 and 2 of each section. Those of level 3 come last in each.
SECTIONS = """
    1.1: 2, 1.2: 9, 1.3: 11, 1.4: 3, 1.5: 2
    2.1: 3, 2.2: 3, 2.3: 4, 2.4: 1
    3.2: 2, 3.3: 4, 3.4: 6, 3.5: 5, 3.7: 2
    4.1: 3, 4.2: 1, 4.3: 2, 4.4: 4
    6.1: 3, 6.2: 12, 6.3: 4, 6.4: 4, 6.5: 5, 6.6: 3, 6.8: 4
    7.1: 3, 7.2: 4, 7.3: 2, 7.4: 5, 7.5: 2, 7.6: 2
    8.1: 2, 8.2: 3, 8.3: 1, 8.4: 1
    12.1: 3, 12.2: 2, 12.3: 4
    13.1: 1, 13.2: 5, 13.3: 2, 13.4: 5
    14.1: 2, 14.2: 4, 14.3: 3
    15.1: 3, 15.2: 3, 15.3: 7
    16.1: 1, 16.2: 5, 16.3: 4, 16.4: 3, 16.5: 3
"""
REQUIREMENTS = {
    f"{section}.{number + 1}"
    for section, count in re.findall(r"(\d+\.\d+): (\d+)", SECTIONS)
    for number in range(int(count))
}
BAD_INPUTS = {str(number) for number in range(1, 51)}


def table(first: str) -> list[tuple[str, list[str]]]:
    """The rows whose first cell looks like that: (first cell, the other cells)."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.splitlines()]
    return [(row[0], row[1:]) for row in rows if re.fullmatch(first, row[0])]


def named() -> list[str]:
    return re.findall(r"`(tests/[^`\s]+\.py::[^`\s]+)`", DOCUMENT)


def written_in(path: Path) -> set[str]:
    # Not by ast: Python 3.11's parser fails now and then where other threads compile (CPython 106905).
    return set(re.findall(r"^(?:async )?def (\w+)\(", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", sorted({name.partition("::")[0] for name in named()}))
def test_every_test_that_is_named_exists(file):
    wanted = {test for path, _, test in (name.partition("::") for name in named()) if path == file}
    assert all(test.startswith("test_") for test in wanted)
    assert wanted - written_in(ROOT / file) == set()


def test_every_file_that_is_named_exists():
    files = re.findall(r"`((?:project|shop|realtime|static|deploy|tests|docs)/[\w./@-]*)`", DOCUMENT)
    assert len(files) > 20
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_every_requirement_of_asvs_is_there_once():
    rows = table(r"\d+\.\d+\.\d+")
    assert Counter(number for number, _ in rows) == Counter(REQUIREMENTS)
    for number, (level, wanted, met) in rows:
        assert level in ("1", "2"), number
        assert wanted, number
        assert met, number


def test_every_bad_input_is_there_once_and_has_a_test():
    rows = table(r"\d+")
    assert Counter(number for number, _ in rows) == Counter(BAD_INPUTS)
    for number, (_answer, tests) in rows:
        assert "::test_" in tests, number
