"""A browser for the browser tests: one that is here, else Debian's package, else a sentence."""

import os
import shutil
from pathlib import Path

from sandbox import apt

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
PLAYWRIGHT_CACHES = (Path.home() / ".cache/ms-playwright", Path.home() / "Library/Caches/ms-playwright")
PLAYWRIGHT_PATTERNS = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
WHAT_TO_INSTALL = (
    "There is no Chromium for the browser tests: install the package `chromium` or Google Chrome,"
    " run `.venv/bin/playwright install chromium`, or set CHROMIUM to one."
)


def find() -> Path | None:
    """An installed Chromium or Chrome; the environment's CHROMIUM comes first."""
    if wish := os.environ.get("CHROMIUM"):
        return Path(wish)
    on_path = (shutil.which(name) for name in NAMES)
    return next((Path(path) for path in on_path if path), None) or _elsewhere()


def _elsewhere() -> Path | None:
    own_cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    caches = (Path(own_cache),) if own_cache else PLAYWRIGHT_CACHES
    downloads = (path for cache in caches for pattern in PLAYWRIGHT_PATTERNS for path in cache.glob(pattern))
    places = (*ON_MACOS, *sorted(downloads, reverse=True))
    return next((path for path in places if os.access(path, os.X_OK)), None)


def main(arguments: list[str]) -> int:
    """Find one or, as root on Debian, install one."""
    return apt.find_or_install(find, "chromium", WHAT_TO_INSTALL)
