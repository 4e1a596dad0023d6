"""Indexes of tables that the shop is writing to."""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_SET = "SELECT set_config('lock_timeout', %s, false)"
_DROP = "DROP INDEX CONCURRENTLY IF EXISTS "


class BuildIndex(AddIndexConcurrently):
    """As AddIndexConcurrently; what a build that was broken off has left is dropped first.

    It waits for whoever writes already, as long as that takes, and nobody waits for it: so the limit that
    `migrate` sets for locks has no use here, and would leave an invalid index behind.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.collect_sql:  # sqlmigrate only prints
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            usual = cursor.fetchone()[0]
            cursor.execute(_SET, ["0"])
            try:
                cursor.execute(_DROP + schema_editor.quote_name(self.index.name))
                super().database_forwards(app_label, schema_editor, from_state, to_state)
            finally:
                cursor.execute(_SET, [usual])
