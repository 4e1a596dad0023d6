"""The translations: gathered from the sources, and compiled. For machines without GNU gettext, so for all.

    python -m sandbox.messages          update locale/*/LC_MESSAGES/django.po and .mo
    python -m sandbox.messages --check  say whether they are up to date; changes nothing

The compiled files are kept in the repository: who clones it needs no compiler.
"""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("shop/**/*.py", "templates/**/*.html", "templates/**/*.txt")
KEYWORDS = {"_": None, "gettext": None, "gettext_lazy": None}
CALL = re.compile(r"""gettext\(u(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\)""")


def main(arguments: list[str]) -> int:
    """Returns 1 if there is something to say."""
    problems = []
    for path in sorted(ROOT.glob("locale/*/LC_MESSAGES/django.po")):
        name, catalog = path.relative_to(ROOT), updated(path)
        made = {path: as_po(catalog), path.with_suffix(".mo"): as_mo(catalog)}
        for file, content in made.items():
            if "--check" not in arguments:
                file.write_bytes(content)
            elif not file.exists() or file.read_bytes() != content:
                problems.append(f"{file.relative_to(ROOT)} is not up to date: run `make messages`")
        problems += [f"{name}: not translated: {words}" for words in untranslated(catalog)]
    print("\n".join(problems or ["Every message is translated."]))
    return 1 if problems else 0


def updated(path: Path) -> Catalog:
    """The translations of a .po file, for just the messages that the sources have now."""
    with path.open("rb") as file:
        old = read_po(file)
    catalog = Catalog(
        locale=path.parent.parent.name,
        project="Shopbell",
        version="1",
        msgid_bugs_address="Shopbell",
        last_translator="Shopbell",
        language_team="Shopbell",
        header_comment="# Translate what stands behind msgstr; the rest is written by `make messages`.",
        fuzzy=False,
        creation_date=old.creation_date,
        revision_date=old.revision_date,
    )
    for words, where in messages():
        known = old.get(words)
        catalog.add(words, known.string if known else "", locations=[(where, 1)])
    return catalog


def messages() -> Iterator[tuple[str, str]]:
    """What is to be translated, and in which file it stands."""
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        where = path.relative_to(ROOT).as_posix()
        source = path.read_text(encoding="utf-8")
        if path.suffix != ".py":
            source = _as_python(source, where)
        for _line, words, _comments, _context in extract("python", BytesIO(source.encode()), KEYWORDS):
            yield str(words), where


def _as_python(template: str, where: str) -> str:
    """A template's calls to gettext alone: Django writes them for xgettext, which reads over the rest."""
    return "\n".join(CALL.findall(templatize(template, origin=where)))


def as_po(catalog: Catalog) -> bytes:
    file = BytesIO()
    write_po(file, catalog, width=0, sort_output=True, omit_header=False, include_lineno=False)
    return file.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def untranslated(catalog: Catalog) -> list[str]:
    return [str(message.id) for message in catalog if message.id and (not message.string or message.fuzzy)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
