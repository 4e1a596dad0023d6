"""How long things took, as people say it."""

from django import template

register = template.Library()


@register.filter
def duration(seconds: float | None) -> str:
    """{{ 0.0042|duration }} → "4.2 ms"; a dash for what was not measured."""
    if seconds is None:
        return "–"
    if seconds < 0.9995:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 86400 else f"{seconds / 86400:.0f} d"
