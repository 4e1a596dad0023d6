"""What the reconciler's rounds came to, for whoever watches it: the worker answers no questions itself."""

from django.db import models
from django.db.models import F
from django.db.models.functions import Now


class ReconcilerTally(models.Model):
    """All rounds of all workers so far, in one row."""

    rounds = models.BigIntegerField(default=0)
    orders_asked = models.BigIntegerField(default=0)
    orders_changed = models.BigIntegerField(default=0)
    events_applied = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    unanswered = models.BigIntegerField(default=0)
    stopped = models.BigIntegerField(default=0, help_text="Rounds that had no time for all")
    ended_at = models.DateTimeField(db_default=Now(), help_text="When the last round was over")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_tally")]

    def __str__(self) -> str:
        return f"{self.rounds} rounds, the last {self.ended_at}"

    @classmethod
    def add(cls, **counts: int) -> None:
        """One more round, and what it counted."""
        cls.objects.get_or_create(pk=1)
        so_far = {name: F(name) + count for name, count in counts.items()}
        cls.objects.filter(pk=1).update(rounds=F("rounds") + 1, ended_at=Now(), **so_far)
