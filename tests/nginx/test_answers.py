"""What nginx says itself: limits, static files, its log, and that the shop is away."""

import uuid
from typing import Any

import httpx
import pytest

from sandbox.ports import free_port
from tests.local_stripe import eventually

LIMITED = {
    "guessing": (["/accounts/login/", "/admin/login/", "/orders/find/", "/api/v1/token/"], 21),
    "buying": (["/checkout/", f"/orders/{uuid.uuid4()}/pay/", "/api/v1/checkout/"], 31),
}


@pytest.mark.parametrize(("paths", "most"), LIMITED.values(), ids=LIMITED.keys())
def test_who_tries_too_often_is_told_to_wait(client, shop, paths, most):
    answers = [client.post(paths[number % len(paths)]) for number in range(most + 5)]

    assert [answer.status_code for answer in answers[:most]] == [200] * most
    refused = answers[-1]
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "try again" in refused.text
    assert refused.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    assert len(refused.headers["X-Request-ID"]) == 32
    assert client.get(paths[0]).status_code == 200, "reading is free"
    assert client.post("/stripe-webhook/").status_code == 200, "so is Stripe"


def test_static_files_are_asked_for_once_and_sent_small(client, shop):
    answers = [
        client.get(f"/static/shop.css?{number}", headers={"X-Long": "x" * 3000}) for number in range(3)
    ]

    assert shop.asked == ["GET /static/shop.css?0"]
    assert {answer.headers["Content-Encoding"] for answer in answers} == {"gzip"}
    assert "X-Request-ID" not in answers[0].headers


def test_the_log_says_who_asked_for_what_and_no_secret(client, nginx):
    client.get("/orders/link/secret-token/?ticket=secret-ticket")
    client.get("/accounts/reset/MQ/secret-token/", headers={"Referer": "http://secret/"})
    client.get('/"quoted" message=forged')

    def lines() -> Any:
        return nginx.access_log.read_text().splitlines()

    eventually(lambda: len(lines()) > 2 and "forged" in lines()[-1])
    assert 'message="GET /orders/link/…"' in lines()[-3]
    assert 'message="GET /accounts/reset/MQ/…"' in lines()[-2]
    assert r"message=\"forged" not in lines()[-1]
    assert 'message="GET /\\"quoted\\" message=forged" request=' in lines()[-1]
    assert "secret" not in nginx.access_log.read_text() + nginx.process.log.read_text()


def test_a_process_that_is_away_is_passed_over(front, shop):
    nginx = front(processes=[free_port(), shop.port])
    for method in ("GET", "POST"):
        for _ in range(10):
            asked = httpx.request(method, f"http://127.0.0.1:{nginx.port}/", trust_env=False)
            assert asked.status_code == 200
    assert len(shop.asked) == 20


def test_when_all_are_away_people_are_told_so_and_no_key_is_logged(front):
    nginx = front(processes=[free_port()])
    answer = httpx.get(f"http://127.0.0.1:{nginx.port}/orders/link/secret-token/", trust_env=False)

    assert answer.status_code == 503
    assert "Nothing is lost" in answer.text
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers, "which is for HTTPS only"
    nginx.stop()
    assert "secret" not in nginx.process.log.read_text()
