"""Chromium as tests start it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from sandbox import apt, chromium

OPTIONS = [
    "--no-sandbox",  # it refuses to be root's otherwise, and containers are
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
    "--mute-audio",
]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Skips, or in CI fails, where there is none. While it runs, no other test can have an event loop."""
    executable = chromium.find()
    if executable is None:
        if apt.must_be_there():
            pytest.fail(chromium.WHAT_TO_INSTALL)
        pytest.skip(chromium.WHAT_TO_INSTALL)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=OPTIONS)
        yield running
        running.close()


@contextmanager
def beside(browser: Browser, *, without: Sequence[str]) -> Iterator[Browser]:
    """A second one, without these options of Playwright's own; `browser` is one of the above."""
    running = browser.browser_type.launch(
        executable_path=chromium.find(), args=OPTIONS, ignore_default_args=list(without)
    )
    yield running
    running.close()
