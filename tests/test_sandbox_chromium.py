from pathlib import Path

import pytest

from sandbox import chromium


@pytest.fixture
def _nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "ON_MACOS", ())


@pytest.mark.usefixtures("_nothing_installed")
def test_without_a_browser_a_laptop_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert chromium.main([]) == 0
    assert "install the package `chromium`" in capsys.readouterr().err


@pytest.mark.usefixtures("_nothing_installed")
def test_without_a_browser_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert chromium.main([]) == 1


@pytest.mark.usefixtures("_nothing_installed")
def test_playwrights_own_download_will_do(tmp_path: Path) -> None:
    downloaded = tmp_path / "chromium-1200" / "chrome-linux" / "chrome"
    downloaded.parent.mkdir(parents=True)
    downloaded.touch(mode=0o755)
    assert chromium.find() == downloaded
