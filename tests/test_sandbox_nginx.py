from pathlib import Path

import pytest

from sandbox import apt, nginx


@pytest.fixture
def _nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NGINX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nginx, "NOT_ON_PATH", ())


@pytest.mark.usefixtures("_nothing_installed")
def test_without_nginx_a_laptop_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert nginx.main([]) == 0
    assert "install the package `nginx-light`" in capsys.readouterr().err


@pytest.mark.usefixtures("_nothing_installed")
def test_without_nginx_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert nginx.main([]) == 1
    assert apt.must_be_there()
