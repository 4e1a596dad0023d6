"""Django's sessions in the database, by keys that can be there.

A cookie may hold anything, a NUL for example, which PostgreSQL refuses: such a visitor has no session.
"""

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        return key is not None and key.isascii() and key.isalnum() and super()._validate_session_key(key)  # type: ignore[misc]  # not in the stubs
