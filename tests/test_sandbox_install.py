"""The way from a bare clone to installed packages, offline: the sets of this test hold nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.environment import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "sandbox").mkdir()
    shutil.copy(ROOT / "sandbox" / "install.py", tmp_path / "sandbox")
    for wanted in ("sandbox", "dev"):
        (tmp_path / f"requirements-{wanted}.txt").write_text(f"# nothing for {wanted}\n")
    return tmp_path


def install(clone: Path, wanted: str) -> str:
    uv_is_here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, clone / "sandbox" / "install.py", wanted],
        env={**os.environ, "PATH": uv_is_here},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_packages_are_installed_once_repaired_and_never_taken_from_a_developer(clone: Path) -> None:
    assert "Installed" in install(clone, "sandbox")
    assert install(clone, "sandbox") == ""
    assert "Installed" in install(clone, "dev")
    assert install(clone, "sandbox") == ""

    (clone / "requirements-dev.txt").write_text("# another nothing\n")
    assert "Installed" in install(clone, "sandbox")
    assert (clone / ".venv" / "installed").read_text().startswith("dev ")

    half_made = clone / ".venv" / "lib" / "half-made"
    half_made.touch()
    (clone / ".venv" / "installing").touch()
    assert "Installed" in install(clone, "dev")
    assert not half_made.exists()

    (clone / ".venv" / "bin" / "python").unlink()
    assert "Installed" in install(clone, "dev")


def test_every_larger_set_of_pins_holds_the_smaller_one() -> None:
    small, medium, large = (pins(ROOT / f"requirements{kind}.txt") for kind in ("", "-sandbox", "-dev"))
    assert small <= medium <= large


def pins(requirements: Path) -> set[str]:
    lines = requirements.read_text().splitlines()
    return {line for line in lines if line and not line.lstrip().startswith("#")}
