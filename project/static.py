"""Static files, served before Django so that they cost none of its middleware.

WhiteNoise's own middleware is sync: inside Django it would put every request, a shopper waiting for
Stripe included, onto a thread.
"""

from collections.abc import Callable, Iterable
from typing import Any

from asgiref.wsgi import WsgiToAsgi
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from whitenoise import WhiteNoise


def _not_found(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"No such file."]


def static_application() -> WsgiToAsgi:
    """Every file that `collectstatic` would collect, straight from where its app keeps it."""
    whitenoise = WhiteNoise(_not_found, max_age=60)
    for finder in get_finders():
        for path, storage in finder.list([]):
            name = "/".join(filter(None, [getattr(storage, "prefix", ""), path]))
            whitenoise.add_file_to_dictionary(f"{settings.STATIC_URL}{name}", storage.path(path))
    return WsgiToAsgi(whitenoise)  # type: ignore[no-untyped-call]  # asgiref types it not
