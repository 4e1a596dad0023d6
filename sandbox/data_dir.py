import fcntl
import os
from pathlib import Path

from sandbox.problem import Problem


class DataDir:
    """Where one running shop keeps everything. A second runner is refused; a dead one leaves no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)  # they tell who looked at which order
            self._lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise Problem(
                f"DATA_DIR {self.path} cannot be used ({error.strerror}): choose another one."
            ) from None
        self._take_lock()

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            raise Problem(
                f"The shop already runs on {self.path} (process {self._lock.read().strip() or 'unknown'}):"
                " stop it, or choose another DATA_DIR, PORT and SANDBOX_STRIPE_PORT."
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()
