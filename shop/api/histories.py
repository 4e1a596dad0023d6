"""When callers asked, as Redis keeps it for REST framework's throttles: JSON.

Django's own way is pickle, so that whoever can write to Redis could run code in the web processes.
"""

import json


class Histories:
    """A serializer for Django's Redis cache: lists of seconds since 1970, the newest first."""

    def dumps(self, history: list[float]) -> str:
        return json.dumps(history)

    def loads(self, data: bytes) -> list[float]:
        """What is none counts as never having asked."""
        try:
            history = json.loads(data)
        except (ValueError, RecursionError):
            return []
        if not isinstance(history, list):
            return []
        return history if all(type(moment) in (int, float) for moment in history) else []
