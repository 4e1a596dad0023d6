"""Make `.venv` and put one of the pinned sets of packages into it; do nothing when they are there.

    python3 -m sandbox.install sandbox|dev

The standard library has to do: nothing is installed yet.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"  # which set, made from what, and where
UNDER_WAY = VENV / "installing"  # left behind by an install that was cut short
UV = "uv==0.13.9"
LARGER = {"sandbox": "dev"}  # a set that holds all of another


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  anything may be called python3
        return _complain(
            f"Python 3.11 or newer is needed, and {sys.executable} is {sys.version.split()[0]}:"
            " name a newer one, for example `make PYTHON=python3.12 run`."
        )
    wanted = sys.argv[1]
    if _installed(wanted) or _installed(LARGER.get(wanted, wanted)):
        return 0
    if wanted in LARGER and _holds(LARGER[wanted]):
        wanted = LARGER[wanted]  # its pins have changed; what a developer had there stays there
    started = time.monotonic()
    print("Installing Python packages …", flush=True)
    if not (_make_venv() and _fill(ROOT / f"requirements-{wanted}.txt")):
        return 1
    STAMP.write_text(_stamp(wanted))
    UNDER_WAY.unlink()
    print(f"Installed in {time.monotonic() - started:.1f} s", flush=True)
    return 0


def _installed(wanted: str) -> bool:
    return _healthy() and STAMP.exists() and STAMP.read_text() == _stamp(wanted)


def _holds(wanted: str) -> bool:
    return STAMP.exists() and STAMP.read_text().startswith(f"{wanted} ")


def _stamp(wanted: str) -> str:
    pins = hashlib.sha256((ROOT / f"requirements-{wanted}.txt").read_bytes()).hexdigest()
    return f"{wanted} {pins} {VENV}"


def _healthy() -> bool:
    """Whether it starts: an upgrade of Python may have taken its interpreter away."""
    if UNDER_WAY.exists() or not PYTHON.exists():
        return False
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([PYTHON, "-c", check], check=False, stderr=subprocess.DEVNULL).returncode == 0


def _make_venv() -> bool:
    healthy = _healthy()
    if not healthy:
        shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir(exist_ok=True)
    UNDER_WAY.touch()
    STAMP.unlink(missing_ok=True)
    if healthy:
        return True
    line = [_base_python(), "-m", "venv", *(["--without-pip"] if shutil.which("uv") else []), str(VENV)]
    made = subprocess.run(line, check=False, capture_output=True, text=True)
    if made.returncode:
        _complain(_why_no_venv(made.stdout + made.stderr))
    return made.returncode == 0


def _base_python() -> str:
    """Ours, or what made ours: python3 may be of the very environment that is made anew."""
    return str(getattr(sys, "_base_executable", sys.executable))


def _why_no_venv(output: str) -> str:
    if "ensurepip" in output:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return (
            f"This Python cannot make environments: install it with `apt-get install python{version}-venv`."
        )
    return f"`{_base_python()} -m venv {VENV}` failed:\n{output}"


def _fill(requirements: Path) -> bool:
    """With uv, which takes seconds; with pip where uv cannot be had."""
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
    uv = shutil.which("uv") or _own_uv()
    if uv:
        synced = subprocess.run([uv, "pip", "sync", "--quiet", requirements], cwd=ROOT, env=env, check=False)
        if synced.returncode == 0:
            return True
        print("uv could not install them; trying pip …", flush=True)
    if _pip("install", "--quiet", "--requirement", str(requirements)):
        return True
    _complain(f"The packages of {requirements.name} could not be installed: see above.")
    return False


def _own_uv() -> str | None:
    uv = VENV / "bin" / "uv"
    return str(uv) if uv.exists() or _pip("install", "--quiet", UV) else None


def _pip(*arguments: str) -> bool:
    return subprocess.run([PYTHON, "-m", "pip", *arguments], cwd=ROOT, check=False).returncode == 0


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
