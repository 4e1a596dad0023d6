"""A shop with https, called without: pages lead there, a program is told that it made a mistake."""

import httpx
import pytest

HTTPS = {"PUBLIC_URL": "https://shop.example", "EXTRA_HOSTS": "127.0.0.1"}


@pytest.fixture(scope="module")
def http(stack):
    with stack.another_web(**HTTPS) as web, httpx.Client(base_url=web, trust_env=False, timeout=30) as client:
        yield client


@pytest.mark.parametrize(("path", "status"), [("/", 301), ("/accounts/login/", 301), ("/api/docs/", 301)])
def test_people_are_led_to_https(http, path, status):
    assert http.get(path).status_code == status


@pytest.mark.parametrize(
    "path", ["/api/v1/products/", "/api/v1/orders/", "/api/v1/token/", "/api/v1/nothing/"]
)
def test_programs_are_refused(http, path):
    for method in ("GET", "POST"):
        answer = http.request(method, path, headers={"Authorization": "Token abc.def"})
        assert answer.status_code == 403
        assert "by https" in answer.text
        assert "Location" not in answer.headers
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
