import os
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.dispatch import Signal

from tests.faults.broken.mutants import MUTANTS

BURNT = 87
"""The exit code of a process that the fuse has ended: one that no program has by itself."""


class Broken(AppConfig):
    """`FAULTS_MUTANT` names a way to break the shop; while the file FAULTS_FUSE exists, the next process
    that has committed a change of an order dies before it has told anybody.
    """

    name = "tests.faults.broken"

    def ready(self) -> None:
        if mutant := os.environ.get("FAULTS_MUTANT"):
            MUTANTS[mutant]()
        if fuse := os.environ.get("FAULTS_FUSE"):
            _lay(Path(fuse))


def _lay(fuse: Path) -> None:
    from shop.signals import order_changed

    tell = order_changed.send_robust

    def send_robust(*sender: Any, **news: Any) -> Any:
        try:
            fuse.unlink()
        except FileNotFoundError:
            return tell(*sender, **news)
        os._exit(BURNT)

    assert isinstance(order_changed, Signal)
    order_changed.send_robust = send_robust  # type: ignore[method-assign]
