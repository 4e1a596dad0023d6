"""Django's sessions in the database, by keys that can be there, and whose rows open nothing.

A cookie may hold anything, a NUL for example, which PostgreSQL refuses: such a visitor has no session.
"""

from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone

from shop.visits import row_key


class SessionStore(db.SessionStore):
    """The browser has the key, the table its hash (shop.visits.row_key)."""

    def exists(self, session_key: str) -> bool:
        return super().exists(row_key(session_key))

    async def aexists(self, session_key: str) -> bool:
        return await super().aexists(row_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        return self._hashed(super().create_model_instance(data))

    async def acreate_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        return self._hashed(await super().acreate_model_instance(data))

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(row_key(key))

    async def adelete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            await super().adelete(row_key(key))

    def _get_session_from_db(self) -> Session | None:
        row = self._rows().first()
        if row is None:
            self._session_key = None
        return row

    async def _aget_session_from_db(self) -> Session | None:
        row = await self._rows().afirst()
        if row is None:
            self._session_key = None
        return row

    def _rows(self) -> QuerySet[Session]:
        return Session.objects.filter(pk=row_key(self.session_key or ""), expire_date__gt=timezone.now())

    def _hashed(self, row: AbstractBaseSession) -> AbstractBaseSession:
        row.session_key = row_key(row.session_key)
        return row

    def _validate_session_key(self, key: str | None) -> bool:
        return key is not None and key.isascii() and key.isalnum() and super()._validate_session_key(key)  # type: ignore[misc]  # not in the stubs
