"""Hashing a password takes a core's time; who does not log in must not notice."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import hashers

from project.asgi import application
from project.settings import PASSWORD_HASHERS
from shop.hashing import AT_ONCE
from tests import factories

PASSWORD = "a horse with a staple"
MANY = 25
"""More than the pool has connections."""
TOKEN = "t" * 32


class Slow:
    """PBKDF2 that ends when it is told to."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.over.set()
        self.arrived: set[int] = set()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, *_args: Any, **_options: Any) -> bytes:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.over.wait(60)
        with self._lock:
            self.now -= 1
        return b"hash"

    def noting(self, ask: Any) -> Any:
        """The same, by threads that are about to hash."""

        def asked(*args: Any) -> Any:
            self.arrived.add(threading.get_ident())
            return ask(*args)

        return asked


@pytest.fixture
def pbkdf2(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """The shop's own hasher, and below it a slow machine."""
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    slow = Slow()
    monkeypatch.setattr(hashers, "pbkdf2", slow)
    for before_a_hash in ("decode", "salt"):
        theirs = getattr(hashers.PBKDF2PasswordHasher, before_a_hash)
        monkeypatch.setattr(hashers.PBKDF2PasswordHasher, before_a_hash, slow.noting(theirs))
    yield slow
    slow.over.set()


def _sign_up(number: int) -> dict[str, str]:
    new = {"username": f"grace{number}", "email": "grace@example.com"}
    return new | {"password1": PASSWORD, "password2": PASSWORD}


def _log_in(number: int) -> dict[str, str]:
    return {"username": "ada", "password": PASSWORD}


DOORS = {
    "logging in": ("/accounts/login/", _log_in, 302),
    "a name that nobody has": ("/accounts/login/", lambda number: _log_in(number) | {"username": "x"}, 200),
    "the admin": ("/admin/login/?next=/admin/", _log_in, 302),
    "a token": ("/api/v1/token/", _log_in, 200),
    "signing up": ("/accounts/signup/", _sign_up, 302),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", DOORS)
async def test_however_many_passwords_are_hashed_the_shop_is_open_for_others(pbkdf2, settings, door):
    """Through the real door, each with a thread of its own."""
    settings.AXES_FAILURE_LIMIT = 2 * MANY
    path, form, status = DOORS[door]
    await sync_to_async(factories.user)(username="ada", password=PASSWORD, is_staff=True)
    pbkdf2.arrived.clear()
    pbkdf2.over.clear()
    async with _browser() as browser:
        they = [asyncio.create_task(_send(browser, path, form(number))) for number in range(MANY)]
        while len(pbkdf2.arrived) < MANY and not any(one.done() for one in they):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        none_done = not any(one.done() for one in they)
        shop = await browser.get("/")
        pbkdf2.over.set()
        answers = await asyncio.gather(*they)

    assert none_done
    assert shop.status_code == 200
    assert {answer.status_code for answer in answers} == {status}
    assert pbkdf2.most == AT_ONCE


def _browser() -> httpx.AsyncClient:
    door = httpx.ASGITransport(cast("Any", application))
    return httpx.AsyncClient(transport=door, base_url="http://127.0.0.1", timeout=60)


async def _send(browser: httpx.AsyncClient, path: str, data: dict[str, str]) -> httpx.Response:
    headers = {"cookie": f"csrftoken={TOKEN}", "x-csrftoken": TOKEN}
    if path.startswith("/api/"):
        return await browser.post(path, json=data)
    return await browser.post(path, data=data, headers=headers)


@pytest.mark.django_db
def test_who_had_a_password_before_still_has_it(client, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    ada = factories.user(username="ada", password=PASSWORD)
    before = ada.password

    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    assert client.post("/accounts/login/", _log_in(0)).status_code == 302
    ada.refresh_from_db()
    assert ada.password == before
