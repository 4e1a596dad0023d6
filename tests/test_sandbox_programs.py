"""Programs that some tests want: found where they are, else installed, else asked for by name."""

from pathlib import Path
from types import ModuleType

import pytest

from sandbox import chromium, nginx

PACKAGES = {chromium: "chromium", nginx: "nginx-light"}


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor anything to install it with."""
    for theirs in ("CHROMIUM", "NGINX", "CI"):
        monkeypatch.delenv(theirs, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "ON_MACOS", ())
    monkeypatch.setattr(nginx, "NOT_ON_PATH", ())


@pytest.fixture(params=list(PACKAGES), ids=list(PACKAGES.values()))
def program(request: pytest.FixtureRequest) -> ModuleType:
    module: ModuleType = request.param
    return module


def test_without_it_a_laptop_is_told_what_to_install(
    program: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main([]) == 0
    assert f"install the package `{PACKAGES[program]}`" in capsys.readouterr().err


def test_without_it_ci_fails(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert program.main([]) == 1


@pytest.mark.parametrize(("program", "variable"), [(chromium, "CHROMIUM"), (nginx, "NGINX")])
def test_one_that_is_named_is_taken_before_all_others(
    program: ModuleType, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / program.__name__.rpartition(".")[2]).touch(mode=0o755)
    monkeypatch.setenv(variable, "/opt/mine")
    assert program.find() == Path("/opt/mine")


def test_playwrights_own_download_will_do(tmp_path: Path) -> None:
    downloaded = tmp_path / "chromium-1200" / "chrome-linux" / "chrome"
    downloaded.parent.mkdir(parents=True)
    downloaded.touch(mode=0o755)
    assert chromium.find() == downloaded
