"""One child process: started, waited for, watched, stopped. `make run` and the tests use the same one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox import die_with_parent
from sandbox.problem import Problem


class Process:
    """A program with a log at `logs`/`name`.log, in a session of its own, that never outlives us.

    `user` is who it runs as when we are root. `gentle` asks it to stop in good order, `death` is what
    it gets when we die without a word (Linux). Start it from a thread that lives as long as it should:
    the kernel takes the end of the starting thread for the end of the parent.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        logs: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        gentle: signal.Signals = signal.SIGTERM,
        death: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = logs / f"{name}.log"
        self.env = env
        self.user = user
        self.gentle = gentle
        self.death = death
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> "Process":
        """Start it, or start it again after it ended; the log goes on."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab" if self._child else "wb") as log:
            self._log_start = log.tell()
            self._child = subprocess.Popen(
                self._wrapped(),
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us, who then stop it in good order
            )
        return self

    def _wrapped(self) -> list[str]:
        wrapper = [sys.executable, "-I", "-S", die_with_parent.__file__]
        wrapper += ["--signal", self.death.name.removeprefix("SIG"), "--parent", str(os.getpid())]
        if self.user:
            wrapper += ["--user", self.user]
        return [*wrapper, "--", *self.command]

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._child.poll() if self._child else None

    def wait_until(self, ready: Callable[[], bool], timeout: float = 30.0) -> "Process":
        """Ask `ready` again and again. Raises Problem with the log's end when it dies or takes too long."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise Problem(self.obituary())
            if time.monotonic() > deadline:
                raise Problem(f"{self.name} did not answer within {timeout:.0f} s.\n{self.log_tail()}")
            time.sleep(0.02)
        return self

    def wait(self, timeout: float) -> bool:
        """Whether it ended within `timeout` seconds."""
        if self._child:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout)
        return not self.running

    def kill(self, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """Send any signal to it and what it started, SIGSTOP and SIGCONT too. Does not wait."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, with_signal)

    def ask_to_stop(self) -> None:
        """The gentle signal, to it alone: it knows best how to end what it started."""
        if self._child and self.running:
            self._child.send_signal(self.gentle)
            self._child.send_signal(signal.SIGCONT)  # or a stopped process would never hear it

    def stop(self, patience: float = 5.0) -> None:
        """Gently, then hard. Safe to repeat."""
        self.ask_to_stop()
        if not self.wait(patience):
            self.kill()
            self.wait(patience)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of this start, indented for a person."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])

    def obituary(self) -> str:
        code = self.exit_code or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"{self.name} {how}. The end of {self.log}:\n{self.log_tail()}"


def answers(url: str, timeout: float = 2.0) -> Callable[[], bool]:
    """A condition for `wait_until`: GET `url` answers 200."""
    # A proxy of the surroundings has no business between us and this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ready() -> bool:
        try:
            with opener.open(url, timeout=timeout) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    return ready


def stop_all(processes: Sequence[Process], patience: float = 5.0) -> None:
    """Ask all at once, then wait for each."""
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        process.stop(patience)
