import os
import signal
import sys
from pathlib import Path

import pytest

from sandbox.problem import Problem
from sandbox.processes import Process, stop_all

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def python(code: str, logs: Path) -> Process:
    return Process("program", [sys.executable, "-c", code], logs=logs)


def test_a_program_that_dies_while_it_is_awaited_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program = python("print('no such table'); raise SystemExit(3)", tmp_path).start()
    with pytest.raises(Problem, match=r"program ended with code 3[\s\S]*no such table"):
        program.wait_until(lambda: False)


def test_a_program_that_never_answers_is_reported(tmp_path: Path) -> None:
    program = python("import time; time.sleep(60)", tmp_path).start()
    with pytest.raises(Problem, match="program did not answer within 0 s"):
        program.wait_until(lambda: False, timeout=0.1)
    program.stop()
    assert program.exit_code == -signal.SIGTERM


def test_a_program_that_does_not_listen_is_stopped_the_hard_way(tmp_path: Path) -> None:
    program = python(DEAF, tmp_path).start()
    program.wait_until(lambda: "deaf" in program.log_tail())
    program.stop(patience=0.1)
    assert program.exit_code == -signal.SIGKILL


def test_a_frozen_program_is_stopped_all_the_same(tmp_path: Path) -> None:
    program = python("import time; print('up', flush=True); time.sleep(60)", tmp_path).start()
    program.wait_until(lambda: "up" in program.log_tail())
    program.kill(signal.SIGSTOP)
    stop_all([program])
    assert program.exit_code == -signal.SIGTERM


def test_a_program_starts_again_and_its_log_goes_on(tmp_path: Path) -> None:
    program = python("import os; print(os.getpid())", tmp_path)
    said = []
    for _ in range(2):
        program.start()
        assert program.wait(10)
        said.append(program.log_tail().strip())
    assert program.log.read_text().split() == said
    assert len(set(said)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_killed_parent_takes_its_children_along(tmp_path: Path) -> None:
    parent = python(
        "import sys, time; from pathlib import Path; from sandbox.processes import Process;"
        f"child = Process('child', ['sleep', '60'], logs=Path({str(tmp_path)!r})).start();"
        "print(child.pid, flush=True); time.sleep(60)",
        tmp_path,
    ).start()
    parent.wait_until(lambda: bool(parent.log_tail().strip()))
    child = int(parent.log_tail())
    until_it_sleeps = python("import time; time.sleep(60)", tmp_path / "clock").start()
    until_it_sleeps.wait_until(lambda: b"sleep\0" in Path(f"/proc/{child}/cmdline").read_bytes())
    parent.kill()
    until_it_sleeps.wait_until(lambda: not runs(child))
    until_it_sleeps.stop()


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
