import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

STOPPERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants us to stop. No Exception: nothing that catches those may swallow it."""

    def __init__(self, by: signal.Signals) -> None:
        super().__init__(by.name)
        self.by = by


@contextlib.contextmanager
def interruptions() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal raise Interrupted, Ctrl-C also where a shell had it ignored."""
    before = {stopper: signal.signal(stopper, _interrupt) for stopper in STOPPERS}
    try:
        yield
    finally:
        for stopper, handler in before.items():
            signal.signal(stopper, handler)


def ignore_interruptions() -> None:
    """We are stopping, in bounded time; an impatient second Ctrl-C must not cut that short."""
    for stopper in STOPPERS:
        signal.signal(stopper, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> None:
    ignore_interruptions()
    raise Interrupted(signal.Signals(number))
