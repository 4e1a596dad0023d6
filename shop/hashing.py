"""Passwords, hashed as Django does, but not by everybody at once."""

from threading import BoundedSemaphore

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from shop.connections import put_connection_back

AT_ONCE = 2
"""In one process. A hash is a third of a second of a core's work; those that wait for one cost nothing."""

_turn = BoundedSemaphore(AT_ONCE)


class Hasher(PBKDF2PasswordHasher):
    """Django's own, with its name for the algorithm: whoever has a password keeps it.

    Whoever hashes has mostly asked the database something before. Twenty who log in at the same moment would
    keep all of the pool's connections from everybody else until their hashes are there.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        put_connection_back()
        with _turn:
            return super().encode(password, salt, iterations)
