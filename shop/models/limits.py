"""How much somebody may still do of what is limited: counted here, so for all processes together."""

from datetime import timedelta
from math import ceil
from typing import Any

from django.db import connection, models


class AllowanceManager(models.Manager["Allowance"]):
    def take(self, key: str, most: int, period: timedelta) -> int:
        """Take one; 0 if that was possible, else the seconds until there is one again, and nothing is taken.

        `most` can be taken at once, and as many grow again in each period, evenly. One statement checks and
        takes, so that not one too many gets through, however many ask at the same moment.
        """
        facts: dict[str, Any] = {"key": key, "all": period, "each": period / most}
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, facts)
            if cursor.fetchone():
                return 0
            cursor.execute(_WAIT, facts)
            wait: timedelta = cursor.fetchone()[0]
        return max(ceil(wait.total_seconds()), 1)


class Allowance(models.Model):
    """By the database's clock. What is full again can be forgotten."""

    key = models.CharField(max_length=100, primary_key=True)
    full_at = models.DateTimeField(help_text="When everything that was taken will have grown again")

    objects = AllowanceManager()

    def __str__(self) -> str:
        return self.key


_TAKE = """
INSERT INTO shop_allowance AS had (key, full_at) VALUES (%(key)s, statement_timestamp() + %(each)s)
ON CONFLICT (key) DO UPDATE SET full_at = greatest(had.full_at, statement_timestamp()) + %(each)s
WHERE had.full_at <= statement_timestamp() + %(all)s - %(each)s
RETURNING true
"""
_WAIT = """
SELECT full_at - statement_timestamp() - %(all)s + %(each)s FROM shop_allowance WHERE key = %(key)s
"""
